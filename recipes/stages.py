"""One stage after another: SFT by the Hugging Face Trainer, RFT by verl. A finished stage leaves `final/`, a Hugging
Face folder, and `done.json`; an unfinished one goes on from its last checkpoint."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from . import metrics, processes, verl_config
from .display import Display
from .errors import RunError
from .run_folder import RunFolder, write_atomic, write_json
from .schema import RFTStage, SFTStage
from .sft import SFTJob

TRACKER = "latest_checkpointed_iteration.txt"


def start_model(run: RunFolder, stage: SFTStage | RFTStage) -> str:
    """The checkpoint a stage starts from."""
    if stage.init:
        return str(run.final(stage.init))
    model = run.recipe.model
    return str(run.model) if not hasattr(model, "path") else str(model.path)


def run_stage(run: RunFolder, stage: SFTStage | RFTStage, display: Display, memory: processes.Memory) -> None:
    """Run a stage to its end, or go on with it.

    Raises:
        RunError: it did not end well; nothing of it runs any more.
    """
    folder = run.stage(stage.name)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    try:
        if isinstance(stage, SFTStage):
            _sft(run, stage, folder, display, memory)
        else:
            _rft(run, stage, folder, display, memory)
    finally:
        metrics.write_metrics(folder)
        _add_seconds(folder, time.monotonic() - begun)
    steps = metrics.read_metrics(folder)
    write_json(
        folder / "done.json",
        {"steps": stage.steps, "seconds": seconds(folder), "our_share_of_a_step": metrics.our_share(steps)},
    )


def seconds(folder: Path) -> float:
    """Wall-clock time spent on a stage, over all attempts."""
    file = folder / "seconds.txt"
    return sum(float(line) for line in file.read_text().split()) if file.exists() else 0.0


def _add_seconds(folder: Path, spent: float) -> None:
    with (folder / "seconds.txt").open("a") as file:
        file.write(f"{spent:.1f}\n")


def _sft(run: RunFolder, stage: SFTStage, folder: Path, display: Display, memory: processes.Memory) -> None:
    recipe = run.recipe
    attempt = metrics.next_attempt(folder)
    gpu = recipe.profile == "gpu"
    job = SFTJob(
        stage=stage,
        model=start_model(run, stage),
        data=run.data,
        folder=folder,
        seed=recipe.seed,
        bf16=gpu,
        metrics=attempt,
    )
    write_atomic(folder / "job.json", job.model_dump_json(indent=2))
    display.begin(stage.name, f"{stage.steps} steps of supervised fine-tuning", stage.steps)
    argv = [sys.executable, "-m", "medrft.recipes.sft", str(folder / "job.json")]
    if gpu and recipe.resources.gpus_per_node > 1:
        ranks = f"--nproc_per_node={recipe.resources.gpus_per_node}"
        argv[1:2] = ["-m", "torch.distributed.run", "--standalone", ranks, "-m"]
    _supervise(run, stage, folder, argv, attempt, display, memory)


def _rft(run: RunFolder, stage: RFTStage, folder: Path, display: Display, memory: processes.Memory) -> None:
    checkpoints = folder / "checkpoints"
    done = repair_tracker(checkpoints)
    if done < stage.steps:
        attempt = metrics.next_attempt(folder)
        goes_on = f", going on from step {done}" if done else ""
        what = f"{stage.steps} steps of {stage.prompts} x {stage.rollouts} responses in verl{goes_on}"
        display.begin(stage.name, what, stage.steps)
        _supervise(run, stage, folder, verl_config.command(folder / "verl.yaml"), attempt, display, memory)
        done = repair_tracker(checkpoints)
    exported = checkpoints / f"global_step_{done}" / "actor" / "huggingface"
    if done < stage.steps or not list(exported.glob("*.safetensors")):
        raise RunError(
            f"stage '{stage.name}' ended at step {done} of {stage.steps} without an error of its own",
            log=str(folder / "log.txt"),
            lines=processes.tell(folder / "log.txt"),
        )
    partial = folder / "final.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(exported, partial)
    shutil.rmtree(folder / "final", ignore_errors=True)  # there if an earlier attempt was killed right after this line
    partial.rename(folder / "final")


def repair_tracker(checkpoints: Path) -> int:
    """The last step with a whole checkpoint, 0 for none; verl's tracker file is made to say so.

    verl writes the tracker in place, after the checkpoint: a kill in between leaves it empty, and the next start fails
    on it.
    """
    steps = sorted(
        int(folder.name.rsplit("_", 1)[1])
        for folder in checkpoints.glob("global_step_*")
        if (folder / "data.pt").exists() and list((folder / "actor").glob("model_world_size_*.pt"))
    )
    tracker = checkpoints / TRACKER
    said = tracker.read_text().strip() if tracker.exists() else ""
    last = int(said) if said.isdigit() and int(said) in steps else (steps[-1] if steps else 0)
    if said != str(last) and last:
        write_atomic(tracker, str(last))
    elif not last:
        tracker.unlink(missing_ok=True)
    return last


def _supervise(
    run: RunFolder,
    stage: SFTStage | RFTStage,
    folder: Path,
    argv: list[str],
    attempt: Path,
    display: Display,
    memory: processes.Memory,
) -> None:
    processes.run(
        argv,
        folder=run.path,
        log=folder / "log.txt",
        what=f"stage '{stage.name}'",
        env=verl_config.environment(run.recipe, attempt),
        progress=lambda: attempt.stat().st_size if attempt.exists() else 0,
        start_seconds=run.recipe.timeouts.start,
        step_seconds=run.recipe.timeouts.step,
        memory=memory,
        tick=lambda: display.steps(metrics.read_metrics(folder)),
    )
