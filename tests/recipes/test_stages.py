"""What a killed stage leaves, and from where it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from medrft.recipes.sft import last_whole_checkpoint
from medrft.recipes.stages import TRACKER, repair_tracker


def checkpoint(folder: Path, step: int, *, whole: bool = True) -> None:
    """verl writes the actor first, then `data.pt`, then the tracker."""
    actor = folder / f"global_step_{step}" / "actor"
    actor.mkdir(parents=True)
    (actor / "model_world_size_1_rank_0.pt").write_bytes(b"x")
    if whole:
        (actor.parent / "data.pt").write_bytes(b"x")


@pytest.mark.parametrize(
    ("steps", "tracker", "last"),
    [
        ([20, 40], "40", 40),
        ([20, 40], "20", 20),  # verl was killed between the checkpoint and the tracker
        ([20, 40], "", 40),  # or while it wrote the tracker
        ([20, 40], None, 40),
        ([20, 40], "60", 40),
        ([20, 100], "", 100),
        ([20, 40], "\0\0", 40),
        ([], "40", 0),
        ([], "", 0),
        ([], None, 0),
    ],
)
def test_the_tracker_says_what_there_is(tmp_path, steps, tracker, last):
    for step in steps:
        checkpoint(tmp_path, step)
    if tracker is not None:
        (tmp_path / TRACKER).write_text(tracker)
    assert repair_tracker(tmp_path) == last
    assert (tmp_path / TRACKER).exists() == bool(last), "verl fails on a tracker that says nothing"
    if last:
        assert (tmp_path / TRACKER).read_text().strip() == str(last)
    assert repair_tracker(tmp_path) == last


@pytest.mark.parametrize("tracker", ["40", "", "20"])
def test_an_incomplete_checkpoint_is_not_gone_on_from(tmp_path, tracker):
    checkpoint(tmp_path, 20)
    checkpoint(tmp_path, 40, whole=False)
    (tmp_path / "global_step_60").mkdir()
    (tmp_path / TRACKER).write_text(tracker)
    assert repair_tracker(tmp_path) == 20
    assert (tmp_path / TRACKER).read_text() == "20"


def test_no_folder_at_all(tmp_path):
    assert repair_tracker(tmp_path / "checkpoints") == 0
    assert not (tmp_path / "checkpoints").exists()


def test_sft_goes_on_from_a_whole_checkpoint(tmp_path):
    """The Hugging Face Trainer writes a checkpoint in place, its state last."""
    assert last_whole_checkpoint(tmp_path / "absent") is None
    for step in (9, 10, 11, 12):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"x")
    assert last_whole_checkpoint(tmp_path) is None
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    (tmp_path / "checkpoint-11" / "trainer_state.json").write_text('{"global_st')
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
