"""From a recipe's RFT stage to verl's complete configuration, checked by verl itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import RecipeError
from .schema import Recipe, RFTStage
from .verl_compose import ComposeJob, StageKeys

HERE = Path(__file__).parent


def settings(recipe: Recipe, stage: RFTStage, folder: Path, *, model: Path | str, data: Path) -> dict[str, Any]:
    """verl's keys that this recipe sets, dotted, over the profile's file. `folder` is the stage's own."""
    resources = recipe.resources
    minibatch = stage.minibatch or stage.prompts
    actor, rollout, ref = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.ref"
    gpus = resources.nodes * resources.gpus_per_node
    # Responses a forward pass: at most 64, and a divisor of each device's share of a minibatch, which verl asserts.
    share = minibatch * stage.rollouts // gpus
    if share == 0 or minibatch * stage.rollouts % gpus:
        raise RecipeError(
            f"stage '{stage.name}': {minibatch} prompts x {stage.rollouts} rollouts do not divide over {gpus} devices"
        )
    micro = max(size for size in range(1, min(64, share) + 1) if share % size == 0)
    keys: dict[str, Any] = {
        "algorithm.norm_adv_by_std_in_grpo": stage.normalise_std,
        "data.train_files": str(data / f"{stage.split}.parquet"),
        "data.val_files": str(data / "val.parquet"),
        "data.train_max_samples": stage.limit or -1,
        "data.train_batch_size": stage.prompts,
        "data.max_prompt_length": recipe.max_prompt_tokens,
        "data.max_response_length": recipe.max_response_tokens,
        "data.seed": recipe.seed,
        "actor_rollout_ref.model.path": str(model),
        f"{actor}.optim.lr": stage.lr,
        f"{actor}.optim.lr_warmup_steps": stage.lr_warmup_steps,
        f"{actor}.optim.weight_decay": stage.weight_decay,
        f"{actor}.ppo_mini_batch_size": minibatch,
        f"{actor}.ppo_micro_batch_size_per_gpu": micro,
        f"{actor}.use_kl_loss": stage.kl > 0,
        f"{actor}.kl_loss_coef": stage.kl,
        f"{actor}.data_loader_seed": recipe.seed,
        f"{actor}.fsdp_config.seed": recipe.seed,
        f"{ref}.log_prob_micro_batch_size_per_gpu": micro,
        f"{rollout}.log_prob_micro_batch_size_per_gpu": micro,
        f"{rollout}.n": stage.rollouts,
        f"{rollout}.temperature": stage.temperature,
        f"{rollout}.seed": recipe.seed,
        f"{rollout}.max_model_len": recipe.max_prompt_tokens + recipe.max_response_tokens,
        f"{rollout}.agent.agent_loop_config_path": str(HERE / "agent_loop.yaml"),
        "reward.custom_reward_function.reward_kwargs": {"spec": recipe.reward.model_dump_json()},
        "trainer.v1.sampler.sampler_kwargs": {"rollouts_dir": str(folder / "rollouts"), "tokenizer": str(model)},
        "trainer.nnodes": resources.nodes,
        "trainer.n_gpus_per_node": resources.gpus_per_node,
        "trainer.total_training_steps": stage.steps,
        "trainer.total_epochs": 1_000_000,  # the number of steps alone says when it is over
        "trainer.save_freq": stage.save_every,
        "trainer.test_freq": stage.validate_every or -1,
        "trainer.default_local_dir": str(folder / "checkpoints"),
        "trainer.project_name": "medrft",
        "trainer.experiment_name": f"{recipe.name}-{stage.name}",
    }
    if recipe.profile == "cpu":
        keys[f"{actor}.optim.betas"] = [0.9, 0.98]  # tens of steps: 0.999 would average over more than there are
        keys[f"{rollout}.max_num_seqs"] = min(256, stage.prompts * stage.rollouts)
        keys["ray_kwargs.ray_init.num_gpus"] = resources.gpus_per_node  # logical slots
    if resources.dashboard_port:
        keys["ray_kwargs.ray_init.include_dashboard"] = True
        keys["ray_kwargs.ray_init.dashboard_host"] = "127.0.0.1"
        keys["ray_kwargs.ray_init.dashboard_port"] = resources.dashboard_port
    return keys


def command(file: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "verl.trainer.main_ppo"),
        *(f"--config-path={file.parent}", f"--config-name={file.stem}"),
        *("hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=disabled", "hydra/hydra_logging=disabled"),
    ]


def environment(recipe: Recipe, metrics: Path | None = None) -> dict[str, str]:
    """The environment of a stage's process, for this profile."""
    env = {
        **os.environ,
        "HYDRA_FULL_ERROR": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    if metrics:
        env["VERL_FILE_LOGGER_PATH"] = str(metrics)
    if recipe.profile == "cpu":
        env.pop("RAY_ADDRESS", None)  # a cluster somebody left in the shell is not this laptop
        env |= {
            "VERL_PLATFORM": "cpu",
            "TORCHDYNAMO_DISABLE": "1",
            "OMP_NUM_THREADS": str(min(4, os.cpu_count() or 1)),
            # A dozen processes on few cores: without this each keeps an arena of freed memory for every thread.
            "MALLOC_ARENA_MAX": "2",
            # Ray would start a process for each of the 16 logical slots at once, on however few cores.
            "RAY_prestart_worker_first_driver": "0",
        }
    return env


def compose(recipe: Recipe, stages: Sequence[tuple[RFTStage, Path, str]], data: Path) -> dict[str, str]:
    """verl's complete configuration of each stage as YAML, by stage name. stages: (stage, its folder, start model).

    Raises:
        RecipeError: verl refuses one, or the recipe's `verl:` names a key that verl does not have.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = ComposeJob(
            profile=recipe.profile,
            stages=[
                StageKeys(
                    stage=stage.name,
                    keys=settings(recipe, stage, place, model=model, data=data),
                    extra=stage.verl,
                    out=Path(folder) / f"{stage.name}.yaml",
                )
                for stage, place, model in stages
            ],
        )
        file = Path(folder) / "job.json"
        file.write_text(job.model_dump_json())
        done = subprocess.run(
            [sys.executable, "-m", "medrft.recipes.verl_compose", str(file)],
            env=environment(recipe),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise RecipeError(said[-1] if said else "verl's configuration could not be composed, for no reason given")
        return {stage.stage: stage.out.read_text() for stage in job.stages}
