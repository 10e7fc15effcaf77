"""The metrics of a stage over all its attempts."""

from __future__ import annotations

import json

import pytest
from medrft.recipes.metrics import (
    ROLLOUTS,
    next_attempt,
    our_share,
    read_metrics,
    rollout_file,
    series,
    write_metrics,
)


def line(step: int, **data: float) -> str:
    return json.dumps({"step": step, "data": data}) + "\n"


def test_the_later_attempt_counts(tmp_path):
    next_attempt(tmp_path).write_text(line(1, loss=1.0) + line(2, loss=2.0) + line(3, loss=3.0))
    next_attempt(tmp_path).write_text(line(3, loss=30.0) + line(4, loss=40.0))
    records = read_metrics(tmp_path)
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert series(records, "loss") == [1.0, 2.0, 30.0, 40.0]
    assert series(records, "absent") == []


def test_attempts_are_in_order_beyond_nine(tmp_path):
    for number in range(12):
        next_attempt(tmp_path).write_text(line(1, loss=number))
    assert series(read_metrics(tmp_path), "loss") == [11]


def test_half_written_and_foreign_lines_are_left_out(tmp_path):
    file = next_attempt(tmp_path)
    whole = line(1, loss=1.0)
    second = line(2, loss=2.0)
    for cut in range(len(second) - 1):
        file.write_text(whole + second[:cut])
        expected = [1, 2] if cut == len(second) - 1 else [1]
        assert [record["step"] for record in read_metrics(tmp_path)] == expected
    file.write_bytes(whole.encode() + b'\xff\xfe\n3\n[]\n{"step": 5}\n' + second.encode())
    assert [record["step"] for record in read_metrics(tmp_path)] == [1, 2]


def test_a_growing_file_is_read_again(tmp_path):
    file = next_attempt(tmp_path)
    assert read_metrics(tmp_path) == []
    for step in range(1, 4):
        with file.open("a") as stream:
            stream.write(line(step, loss=step))
        assert len(read_metrics(tmp_path)) == step


def test_the_merged_view(tmp_path):
    next_attempt(tmp_path).write_text(line(1, loss=1.0) + line(2, loss=2.0))
    next_attempt(tmp_path).write_text(line(2, loss=5.0))
    write_metrics(tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text() == line(1, loss=1.0) + line(2, loss=5.0)


def test_our_share_leaves_the_first_step_out():
    def record(step: int, whole: float) -> dict:
        ours = {"medrft/reward_seconds": 0.1, "medrft/logging_seconds": 0.2}
        return {"step": step, "data": {"timing_s/step": whole, **ours}}

    assert our_share([record(1, 1000.0), record(2, 10.0), record(3, 20.0)]) == pytest.approx(0.6 / 30)
    assert our_share([record(1, 10.0)]) is None
    assert our_share([]) is None
    assert our_share([record(1, 1.0), {"step": 2, "data": {"timing_s/step": 5.0}}]) is None


def test_a_step_that_was_saved_and_not_logged_keeps_its_rewards(tmp_path):
    """verl saves the checkpoint of a step, then logs the step; a kill can come in between."""
    attempt = next_attempt(tmp_path)
    attempt.write_text('{"step": 1, "data": {"a": 1.0}}\n{"step": 3, "data": {"a": 3.0}}\n')
    rows = [{"group": "g", "score": score, "reward": {"reward/accuracy": score}} for score in (1.0, 0.0)]
    for step in (1, 2):
        file = rollout_file(tmp_path / ROLLOUTS, step)
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_metrics(tmp_path)
    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in written] == [1, 2, 3]
    assert written[0]["data"] == {"a": 1.0}
    assert written[1]["data"]["medrft/reward/accuracy"] == 0.5
