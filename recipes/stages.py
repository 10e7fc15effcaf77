"""One stage after another: SFT by the Hugging Face Trainer, RFT by verl. A finished stage leaves `final/`, a Hugging
Face folder, and `done.json`; an unfinished one goes on from its last checkpoint."""

from __future__ import annotations

import contextlib
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
from .tiny import TinyModel

STEP_SECONDS = {"cpu": 180, "gpu": 1800}  # a real model generates, validates and saves for minutes
TRACKER = "latest_checkpointed_iteration.txt"


def start_model(run: RunFolder, stage: SFTStage | RFTStage) -> str:
    """The checkpoint a stage starts from."""
    return str(run.final(stage.init)) if stage.init else model_path(run)


def model_path(run: RunFolder) -> str:
    """The recipe's own checkpoint; a folder of this machine as an absolute path, since workers run elsewhere."""
    model = run.recipe.model
    if isinstance(model, TinyModel):
        return str(run.model)
    folder = Path(model.path).expanduser()
    return str(folder.resolve()) if folder.exists() else model.path


def run_stage(run: RunFolder, stage: SFTStage | RFTStage, display: Display, memory: processes.Memory) -> None:
    """Run a stage to its end, or go on with it.

    Raises:
        RunError: it did not end well; nothing of it runs any more.
    """
    folder = run.stage(stage.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if isinstance(stage, SFTStage):
            _sft(run, stage, folder, display, memory)
        else:
            _rft(run, stage, folder, display, memory)
    finally:
        with contextlib.suppress(OSError):  # a full disk has been told of already
            metrics.write_metrics(folder)
    records = metrics.read_metrics(folder)
    done = {
        "steps": records[-1]["step"] if records else 0,
        "seconds": seconds(folder),
        "our_share_of_a_step": metrics.our_share(records),
    }
    write_json(folder / "done.json", done)
    display.say(f"{stage.name}: {done['steps']} steps in {done['seconds']:.0f} s")


def seconds(folder: Path) -> float:
    """Wall-clock time spent on a stage, over all attempts."""
    return sum(float(file.read_text() or 0) for file in (folder / metrics.ATTEMPTS).glob("*.seconds"))


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
    display.begin(
        stage.name,
        f"{'at most ' if stage.stop_at_accuracy else ''}{stage.steps} steps of supervised fine-tuning",
        stage.steps,
    )
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
        int(folder.name.removeprefix("global_step_"))
        for folder in checkpoints.glob("global_step_*")
        if folder.name.removeprefix("global_step_").isdigit()
        and (folder / "data.pt").exists()
        and list((folder / "actor").glob("model_world_size_*.pt"))
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
    begun = time.monotonic()

    def tick() -> None:
        # Kept up to date, so that the time of an attempt counts however it ends.
        attempt.with_suffix(".seconds").write_text(f"{time.monotonic() - begun:.1f}")
        display.steps(metrics.read_metrics(folder))

    def progress() -> int:
        # A long checkpoint or export is progress too, though no step ends meanwhile.
        files = [attempt, *(folder / "checkpoints").rglob("*")]
        return sum(_size(file) for file in files)

    timeouts = run.recipe.timeouts
    processes.run(
        argv,
        folder=run.path,
        log=folder / "log.txt",
        what=f"stage '{stage.name}'",
        env=verl_config.environment(run.recipe, attempt),
        progress=progress,
        start_seconds=timeouts.start,
        step_seconds=timeouts.step or STEP_SECONDS[run.recipe.profile],
        memory=memory,
        tick=tick,
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone between listing and asking: old checkpoints are removed
        return 0
