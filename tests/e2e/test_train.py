"""The real thing, once: verl, Ray and vLLM train a tiny model, are interrupted, killed, and go on.

One test after another works on the same run folder, as a user would; each stands on the one before.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("verl", reason="the trainer is not installed: pip install 'medrft[cpu]'")
pytest.importorskip("vllm", reason="the trainer is not installed: pip install 'medrft[cpu]'")

RECIPE = Path(__file__).with_name("tiny.yaml")
STEPS = 6
MEDRFT = [sys.executable, "-c", "from medrft.recipes.cli import main; main()"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("e2e") / "a run"  # a space in the path, on purpose
    yield folder
    for process in ours(folder):
        process.kill()


def ours(folder: Path) -> list[psutil.Process]:
    """Every process that was started for this run and is still there."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MEDRFT_RUN") == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*MEDRFT, "train", str(RECIPE), "--run", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "200"},
    )


def wait_for(condition: Callable[[], bool], launcher: subprocess.Popen[str], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert launcher.poll() is None, f"the launcher ended early:\n{launcher.communicate()[0]}"
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.3)


def finish(launcher: subprocess.Popen[str], seconds: float) -> str:
    output, _ = launcher.communicate(timeout=seconds)
    return output


def checkpointed(folder: Path) -> int:
    tracker = folder / "stages" / "02-rft" / "checkpoints" / "latest_checkpointed_iteration.txt"
    return int(tracker.read_text() or 0) if tracker.exists() else 0


def test_interrupt_ends_everything_it_started(run: Path) -> None:
    launcher = start(run)
    attempts = run / "stages" / "01-warmup" / "attempts"
    wait_for(lambda: any(f.stat().st_size for f in attempts.glob("*.jsonl")), launcher, 240)
    launcher.send_signal(signal.SIGINT)
    output = finish(launcher, 60)
    assert launcher.returncode == 130, output
    assert "same command" in output
    assert "Traceback" not in output
    assert ours(run) == []


def test_kill_of_the_trainer_ends_with_a_message(run: Path) -> None:
    launcher = start(run)
    wait_for(lambda: checkpointed(run) >= 1, launcher, 420)
    trainer = [p for p in ours(run) if "verl.trainer.main_ppo" in " ".join(p.cmdline())]
    assert trainer, "the trainer runs as a process of its own"
    for process in trainer:
        process.kill()
    output = finish(launcher, 90)
    assert launcher.returncode == 1, output
    assert "SIGKILL" in output
    assert "log.txt" in output
    assert "Traceback" not in output
    assert ours(run) == []


def test_a_stopped_rollout_worker_is_noticed(run: Path) -> None:
    before = checkpointed(run)
    launcher = start(run)
    wait_for(lambda: checkpointed(run) > before, launcher, 420)
    stopped = [p for p in ours(run) if "VLLM" in " ".join(p.cmdline())]
    assert stopped, "vLLM runs in processes of its own"
    for process in stopped:
        process.suspend()  # alive and silent, as in a hung weight sync
    output = finish(launcher, 240)
    assert launcher.returncode == 1, output
    assert "no progress for 60 s" in output
    assert "Traceback" not in output
    assert ours(run) == []


def test_the_same_command_goes_on_to_the_same_number_of_steps(run: Path) -> None:
    before = checkpointed(run)
    assert 2 <= before < STEPS, "the kills came in the middle"
    launcher = start(run)
    output = finish(launcher, 600)
    assert launcher.returncode == 0, output
    assert f"going on from step {before}" in output
    assert checkpointed(run) == STEPS
    lines = (run / "stages" / "02-rft" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, STEPS + 1))
    assert ours(run) == []


def test_components_reach_curves_and_rollouts(run: Path) -> None:
    stage = run / "stages" / "02-rft"
    for line in (stage / "metrics.jsonl").read_text().splitlines():
        data = json.loads(line)["data"]
        assert {"medrft/reward/accuracy", "medrft/reward/format", "medrft/groups_without_variance"} <= data.keys()
        if "critic/score/mean" in data:  # absent where the kill came between a step's checkpoint and its log line
            assert data["medrft/score"] == pytest.approx(data["critic/score/mean"], abs=1e-5)
        assert data["medrft/status/failed"] == 0
    for step in range(1, STEPS + 1):
        rows = [json.loads(line) for line in (stage / "rollouts" / f"step_{step:06d}.jsonl").read_text().splitlines()]
        assert len(rows) == 8 * 2
        assert len({row["group"] for row in rows}) == 8
        for row in rows:
            paid = 0.9 * row["reward"]["reward/accuracy"] + 0.1 * row["reward"]["reward/format"]
            assert row["score"] == pytest.approx(paid, abs=1e-6)


def test_evaluation_and_summary_are_written(run: Path) -> None:
    results = json.loads((run / "eval" / "results.json").read_text())
    assert results["n"] == 40
    assert set(results["variants"]) == {"warmup", "rft", "rft.blank"}
    for figures in results["variants"].values():
        assert figures["accuracy"]["low"] <= figures["accuracy"]["mean"] <= figures["accuracy"]["high"]
    gain = results["gain"]["accuracy"]["mean"]
    assert gain == pytest.approx(
        results["variants"]["rft"]["accuracy"]["mean"] - results["variants"]["warmup"]["accuracy"]["mean"]
    )
    summary = json.loads((run / "summary.json").read_text())
    assert 0 < summary["our_share_of_a_step"]["rft"] < 1
    assert summary["peak_memory_bytes"] > 2**30
    assert summary["training_stages"] == ["warmup", "rft"]


def test_a_finished_run_is_left_as_it_is(run: Path) -> None:
    predictions = (run / "eval" / "predictions.jsonl").stat().st_mtime
    weights = (run / "stages" / "02-rft" / "final" / "model.safetensors").stat().st_mtime
    launcher = start(run)
    output = finish(launcher, 60)
    assert launcher.returncode == 0, output
    assert (run / "stages" / "02-rft" / "final" / "model.safetensors").stat().st_mtime == weights
    assert (run / "eval" / "predictions.jsonl").stat().st_mtime == predictions


def test_another_recipe_is_refused_in_this_folder(run: Path) -> None:
    done = subprocess.run(
        [*MEDRFT, "train", str(RECIPE), "--run", str(run), "--set", "stages.rft.lr=0.5"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "another recipe" in done.stderr
    assert "lr" in done.stderr
