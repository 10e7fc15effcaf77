"""From a recipe to verl's configuration: numbers that have to divide, keys that have to exist, and verl's own yes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from medrft.recipes import verl_config
from medrft.recipes.errors import RecipeError
from medrft.recipes.load import load
from medrft.recipes.schema import Recipe, Resources, RFTStage
from medrft.recipes.verl_config import environment, settings
from medrft.rewards import RewardSpec

ACTOR, ROLLOUT, REF = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.ref"
MICRO = (
    f"{ACTOR}.ppo_micro_batch_size_per_gpu",
    f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu",
    f"{REF}.log_prob_micro_batch_size_per_gpu",
)
# verl's configuration does not name them, and reads them all the same.
ADDED = {
    "data.seed",
    f"{ROLLOUT}.max_model_len",
    f"{ROLLOUT}.agent.agent_loop_config_path",
    "reward.custom_reward_function.reward_kwargs",
    "ray_kwargs.ray_init.num_gpus",
    "ray_kwargs.ray_init.include_dashboard",
    "ray_kwargs.ray_init.dashboard_host",
    "ray_kwargs.ray_init.dashboard_port",
}


def rft(**keys: Any) -> RFTStage:
    return RFTStage(**{"name": "rft", "kind": "rft", "steps": 2, **keys})


def keys_of(recipe: Recipe, stage: RFTStage) -> dict[str, Any]:
    return settings(recipe, stage, Path("/run/stages/02-rft"), model="/run/model", data=Path("/run/data"))


def on(recipe: Recipe, gpus: int, nodes: int = 1) -> Recipe:
    return recipe.model_copy(update={"resources": Resources(gpus_per_node=gpus, nodes=nodes)})


def test_micro_batches_divide_each_device_s_share(recipe):
    """verl asserts it in the middle of its start-up. The largest that fits, by trying all."""
    small, composed, refused = recipe("profile=gpu"), 0, 0
    sizes = itertools.product((1, 2, 3, 5, 16, 63, 64, 96, 134), (2, 3, 4, 7, 16), (1, 2, 4), ((1, 1), (3, 1), (8, 2)))
    for prompts, rollouts, parts, (gpus, nodes) in sizes:
        if prompts % parts:
            continue
        stage = rft(prompts=prompts, rollouts=rollouts, minibatch=prompts // parts if parts > 1 else None)
        responses, devices = prompts // parts * rollouts, gpus * nodes
        if responses % devices:
            with pytest.raises(RecipeError):
                keys_of(on(small, gpus, nodes), stage)
            refused += 1
            continue
        keys = keys_of(on(small, gpus, nodes), stage)
        micro = keys[MICRO[0]]
        assert [keys[name] for name in MICRO] == [micro] * 3
        assert 1 <= micro <= 64
        assert responses % (micro * devices) == 0
        assert not [size for size in range(micro + 1, 65) if responses % (size * devices) == 0]
        assert keys[f"{ACTOR}.ppo_mini_batch_size"] == prompts // parts
        composed += 1
    assert composed > 100
    assert refused > 50


def test_what_does_not_divide_is_one_sentence(recipe):
    with pytest.raises(RecipeError) as refused:
        keys_of(on(recipe("profile=gpu"), 8), rft(prompts=12, rollouts=3, minibatch=4))
    assert str(refused.value) == "stage 'rft': 4 prompts x 3 rollouts do not divide over 8 devices"


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_the_environment(recipe, monkeypatch, tmp_path, profile):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("MINE", "1")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "0")
    before = dict(os.environ)
    env = environment(recipe(f"profile={profile}"), tmp_path / "metrics.jsonl")
    assert dict(os.environ) == before
    assert ("RAY_ADDRESS" in env) == (profile == "gpu"), "on GPUs it names the cluster, on a laptop somebody else's"
    assert (env.get("VERL_PLATFORM") == "cpu") == (profile == "cpu")
    assert (env["MINE"], env["VLLM_NO_USAGE_STATS"]) == ("1", "1")
    assert env["VERL_FILE_LOGGER_PATH"] == str(tmp_path / "metrics.jsonl")
    assert "VERL_FILE_LOGGER_PATH" not in environment(recipe(f"profile={profile}"))
    assert all(isinstance(value, str) for value in env.values())


def test_the_command_reads_the_composed_file():
    argv = verl_config.command(Path("/a b/stages/02-rft/verl.yaml"))
    assert argv[1:3] == ["-m", "verl.trainer.main_ppo"]
    assert "--config-path=/a b/stages/02-rft" in argv
    assert "--config-name=verl" in argv


# Whatever follows asks verl.


@contextmanager
def plain(profile: str) -> Iterator[Any]:
    """The profile over verl's defaults, before a recipe says anything."""
    pytest.importorskip("verl")
    from medrft.recipes.cpu.torchvision import declare_missing_operators

    declare_missing_operators()
    import hydra

    with hydra.initialize_config_module("medrft.recipes.config", version_base=None):
        yield hydra.compose(config_name=profile)


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_every_key_is_verl_s_own_or_known_to_be_added(recipe, profile):
    """With all that a recipe can say: a key that verl renames would otherwise be set and read by nobody."""
    with plain(profile) as config:
        from omegaconf import OmegaConf

        known = OmegaConf.to_container(config, resolve=False)
    keys = keys_of(recipe(f"profile={profile}", "resources.dashboard_port=8265"), rft(kl=0.1, limit=16))

    def has(key: str) -> bool:
        here: Any = known
        for part in key.split("."):
            if not isinstance(here, dict) or part not in here:
                return False
            here = here[part]
        return True

    assert {key for key in keys if not has(key)} <= ADDED
    assert len(keys) > 30


def compose(name: str, *sets: str, **verl: Any) -> tuple[Recipe, dict[str, Any]]:
    """A shipped recipe's RFT stage through verl itself, in its own process."""
    pytest.importorskip("verl")
    shipped = load(name, sets)
    stage = next(stage for stage in shipped.stages if isinstance(stage, RFTStage)).model_copy(update={"verl": verl})
    texts = verl_config.compose(shipped, [(stage, Path("/run/stages/02-rft"), "/run/model")], Path("/run/data"))
    assert list(texts) == [stage.name]
    return shipped, yaml.safe_load(texts[stage.name])


def look(config: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config


@pytest.fixture(scope="module")
def on_cpu() -> tuple[Recipe, dict[str, Any]]:
    return compose(
        "quickstart",
        "resources.dashboard_port=8265",
        **{"+trainer.medrft_probe": {"deep": 3}, "trainer.logger": ["file"], f"{ACTOR}.optim.lr": 0.5},
    )


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory) -> tuple[Recipe, dict[str, Any]]:
    return compose("retinamnist", "profile=gpu", "resources.nodes=2", "resources.gpus_per_node=8")


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_what_verl_gets(request, profile):
    shipped, config = request.getfixturevalue(f"on_{profile}")
    stage = shipped.stage("rft")
    expected = {
        "algorithm.adv_estimator": "grpo",
        "algorithm.use_kl_in_reward": False,
        "algorithm.norm_adv_by_std_in_grpo": stage.normalise_std,
        "reward.custom_reward_function.path": "pkg://medrft.rewards.verl",
        "reward.custom_reward_function.name": "compute_score",
        "trainer.use_v1": True,
        "trainer.v1.trainer_mode": "sync",
        "trainer.v1.sampler.custom_sampler.path": "pkg://medrft.recipes.verl_sampler",
        "trainer.v1.sampler.custom_sampler.name": "RewardLoggingReplayBuffer",
        "trainer.v1.sampler.sampler_kwargs": {"rollouts_dir": "/run/stages/02-rft/rollouts", "tokenizer": "/run/model"},
        f"{ROLLOUT}.name": "vllm",
        f"{ROLLOUT}.agent.default_agent_loop": "medrft_single_turn",
        f"{ROLLOUT}.n": stage.rollouts,
        f"{ROLLOUT}.temperature": stage.temperature,
        f"{ROLLOUT}.max_model_len": shipped.max_prompt_tokens + shipped.max_response_tokens,
        f"{ACTOR}.use_kl_loss": stage.kl > 0,
        f"{ACTOR}.kl_loss_coef": stage.kl,
        f"{ACTOR}.kl_loss_type": "low_var_kl",
        f"{ACTOR}.strategy": "fsdp2",
        f"{ACTOR}.ppo_mini_batch_size": stage.minibatch,
        "data.train_batch_size": stage.prompts,
        "data.max_prompt_length": shipped.max_prompt_tokens,
        "data.max_response_length": shipped.max_response_tokens,
        "data.train_files": f"/run/data/{stage.split}.parquet",
        "data.val_files": "/run/data/val.parquet",
        "data.image_key": "images",
        "data.seed": shipped.seed,
        "actor_rollout_ref.model.path": "/run/model",
        "trainer.default_local_dir": "/run/stages/02-rft/checkpoints",
        "trainer.total_training_steps": stage.steps,
        "trainer.save_freq": stage.save_every,
        "trainer.test_freq": -1,
        "trainer.val_before_train": False,
        "trainer.resume_mode": "auto",
        "trainer.nnodes": shipped.resources.nodes,
        "trainer.n_gpus_per_node": shipped.resources.gpus_per_node,
        "trainer.device": {"cpu": "cpu", "gpu": "cuda"}[profile],
    }
    assert {key: look(config, key) for key in expected} == expected
    assert stage.kl > 0
    assert stage.minibatch
    spec = look(config, "reward.custom_reward_function.reward_kwargs.spec")
    assert RewardSpec.model_validate_json(spec) == shipped.reward, "the very reward, not its name"
    loops = Path(look(config, f"{ROLLOUT}.agent.agent_loop_config_path"))
    assert [entry["name"] for entry in yaml.safe_load(loops.read_text())] == ["medrft_single_turn"]
    assert "hf_model" in look(config, f"{ACTOR}.checkpoint.save_contents"), "a checkpoint that vLLM loads"
    assert "hydra" not in config


def test_on_a_cpu(on_cpu):
    _, config = on_cpu
    expected = {
        "ray_kwargs.ray_init.address": "local",
        "ray_kwargs.ray_init.num_gpus": 1,
        "ray_kwargs.ray_init.include_dashboard": True,
        "ray_kwargs.ray_init.dashboard_host": "127.0.0.1",
        "ray_kwargs.ray_init.dashboard_port": 8265,
        "actor_rollout_ref.model.external_lib": "medrft.recipes.cpu.engine",
        f"{ROLLOUT}.dtype": "float32",
        f"{ROLLOUT}.max_num_seqs": 256,
        f"{ROLLOUT}.free_cache_engine": False,
        f"{REF}.fsdp_config.model_dtype": "fp32",
        f"{ACTOR}.optim.betas": [0.9, 0.98],
    }
    assert {key: look(config, key) for key in expected} == expected


def test_on_gpus(on_gpu):
    _, config = on_gpu
    assert "address" not in look(config, "ray_kwargs.ray_init"), "RAY_ADDRESS says which cluster"
    assert "num_gpus" not in look(config, "ray_kwargs.ray_init"), "Ray counts them itself"
    assert look(config, "actor_rollout_ref.model.external_lib") is None
    assert look(config, f"{ACTOR}.optim.betas") == [0.9, 0.999]
    assert look(config, f"{ROLLOUT}.dtype") == "bfloat16"
    assert look(config, MICRO[0]) == 4, "16 prompts x 4 rollouts over 16 devices"


def test_the_recipe_s_own_verl_keys_come_last(on_cpu):
    _, config = on_cpu
    assert look(config, "trainer.medrft_probe") == {"deep": 3}
    assert look(config, "trainer.logger") == ["file"]
    assert look(config, f"{ACTOR}.optim.lr") == 0.5


@pytest.fixture
def refusal(recipe, tmp_path):
    """`refusal(verl={...})`: what the worker says no with, on the profile that needs no platform of ours."""
    pytest.importorskip("verl")
    from medrft.recipes import verl_compose

    def refuse(**verl: Any) -> str:
        keys = keys_of(recipe("profile=gpu"), rft(prompts=4))
        stage = verl_compose.StageKeys(stage="rft", keys=keys, extra=verl, out=tmp_path / "rft.yaml")
        with pytest.raises(SystemExit) as refused:
            verl_compose.main(verl_compose.ComposeJob(profile="gpu", stages=[stage]))
        assert not (tmp_path / "rft.yaml").exists()
        sentence = str(refused.value)
        assert "\n" not in sentence
        return sentence

    return refuse


@pytest.mark.parametrize(
    "key",
    ["trainer.total_epoch", "nothing", "trainer.save_freq.deeper", "algorithm.rollout.correction.x", "trainer.", ""],
)
def test_a_key_that_verl_has_not(refusal, key):
    assert refusal(**{key: 1}) == (
        f"stages.rft.verl names '{key}', which verl's configuration does not have. "
        f"Write '+{key}' to add a key all the same"
    )


@pytest.mark.parametrize(
    ("verl", "part"),
    [
        ({"data.train_batch_size": 2, f"{ACTOR}.use_dynamic_bsz": False}, "train_batch_size"),  # below the minibatch
        ({f"{ACTOR}.loss_agg_mode": "nonsense"}, "loss_agg_mode"),
        ({"+actor_rollout_ref.actor.optim.nonsense": 1}, "nonsense"),
    ],
)
def test_what_verl_itself_refuses(refusal, verl, part):
    sentence = refusal(**verl)
    assert sentence.startswith("verl refuses the configuration of stage 'rft': ")
    assert part in sentence


def test_the_worker_s_sentence_is_the_recipe_s_error(recipe):
    with pytest.raises(RecipeError) as refused:
        compose("quickstart", **{"trainer.nonsense": 1})
    assert str(refused.value).startswith("stages.rft.verl names 'trainer.nonsense', which verl's configuration does")


def test_a_plugin_that_verl_did_not_load(recipe, monkeypatch, tmp_path):
    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", "none")
    loaded = recipe()
    pytest.importorskip("verl")
    with pytest.raises(RecipeError, match=r"did not load the plugin 'medrft'.*medrft doctor"):
        verl_config.compose(loaded, [(loaded.stage("rft"), tmp_path / "rft", "model")], tmp_path / "data")
