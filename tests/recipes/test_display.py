"""What a person sees: a panel in a terminal, and elsewhere plain lines, few of them."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import textwrap
import time
from itertools import pairwise

import pytest
from medrft.recipes import display as module
from medrft.recipes.display import PLAIN_EVERY_SECONDS, Display
from rich.console import Console


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def record(step: int, **data: float) -> dict:
    return {"step": step, "data": data}


def test_plain_lines_are_few_and_without_control_characters(clock):
    out = io.StringIO()
    with Display(Console(file=out, width=80)) as display:
        display.begin("rft", "200 steps of [bold]reinforcement[/bold]", 200)
        records = []
        for step in range(1, 201):
            clock.now += 1.0
            values = {"medrft/score": 0.5, "medrft/reward/accuracy@1": 0.25, "timing_s/step": 1.0}
            records.append(record(step, **values))
            display.steps(records)
            display.steps(records)  # nothing new: nothing said
    text = out.getvalue()
    assert not re.search(r"[^\n -~]", text)
    lines = text.splitlines()
    assert lines[0] == "rft: 200 steps of [bold]reinforcement[/bold]"
    steps = [
        int(re.match(r"rft: step (\d+)/200  reward 0.500  accuracy@1 0.250  1.0 s/step", ln)[1]) for ln in lines[1:]
    ]
    assert steps[-1] == 200
    assert len(steps) <= 200 / PLAIN_EVERY_SECONDS + 1
    assert all(b - a >= PLAIN_EVERY_SECONDS for a, b in pairwise(steps[:-1]))


def test_the_time_left_counts_this_attempt_alone(clock):
    """Gone on from step 40 of 100: ten steps in 100 s are 10 s a step, and 50 of them are left."""
    out = io.StringIO()
    display = Display(Console(file=out))
    display.begin("warmup", "100 steps", 100)
    records = [record(step, **{"sft/loss": 1.0}) for step in range(1, 41)]
    display.steps(records)
    clock.now += 100
    records += [record(step, **{"sft/loss": 0.5}) for step in range(41, 51)]
    display.steps(records)
    assert out.getvalue().splitlines()[-1] == "warmup: step 50/100  loss 0.500  10.0 s/step  8 min left"


def test_the_accuracy_shown_is_the_last(clock):
    """A mean over the last ten steps would stand below `stop_at_accuracy` when the stage ends."""
    out = io.StringIO()
    display = Display(Console(file=out))
    display.begin("warmup", "2 steps", 2)
    display.steps([record(step, **{"sft/loss": 1.0 / step, "sft/val_accuracy": step / 4}) for step in (1, 2)])
    assert "loss 0.750  validation accuracy 0.500" in out.getvalue()


def test_no_metrics_yet(clock):
    out = io.StringIO()
    display = Display(Console(file=out))
    display.begin("eval", "greedy answers")
    clock.now += 100
    display.steps([])
    assert out.getvalue() == "eval: greedy answers\n"


LIVE = """
    import time
    from rich.console import Console
    from medrft.recipes.display import Display
    with Display(Console()) as display:
        assert display.console.is_terminal
        for stage in ("warmup", "rft"):
            display.begin(stage, "3 steps", 3)
            display.steps([])
            for step in (1, 2, 3):
                display.steps([{"step": step, "data": {"medrft/score": 0.5}}])
                time.sleep(0.3)
        display.begin("eval", "no steps to count")
        display.say("a line that stays")
        time.sleep(0.3)
"""


@pytest.mark.parametrize("columns", [80, 20])
def test_live_in_a_terminal(columns):
    mine, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "LINES": "24"}
    command = [sys.executable, "-c", textwrap.dedent(LIVE)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        seen, end = b"", time.monotonic() + 30
        while time.monotonic() < end:
            try:
                chunk = os.read(mine, 65536)
            except OSError:  # the other side has closed
                break
            if not chunk:
                break
            seen += chunk
        assert process.wait(10) == 0, seen.decode(errors="replace")
    os.close(mine)
    text = seen.decode()
    assert "\x1b[" in text
    assert "Traceback" not in text
    assert "a line that stays" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "3/3" in text or columns < 80
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0, "the cursor is shown again"
