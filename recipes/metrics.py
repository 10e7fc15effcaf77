"""The metrics of a stage, one JSON object a step, over all attempts at it.

Each attempt writes a file of its own (verl's file logger truncates what it opens). After a crash, steps since the last
checkpoint are done again: of two attempts at a step the later one counts.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from .run_folder import write_atomic

ATTEMPTS = "attempts"


def next_attempt(stage: Path) -> Path:
    """A new file for an attempt."""
    folder = stage / ATTEMPTS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{len(list(folder.glob('*.jsonl'))) + 1:03d}.jsonl"


def read_metrics(stage: Path) -> list[dict[str, Any]]:
    """All steps in order: `{"step": 7, "data": {"sft/loss": ...}}`. A half-written last line is left out."""
    steps: dict[int, dict[str, Any]] = {}
    for file in sorted((stage / ATTEMPTS).glob("*.jsonl")):
        with contextlib.suppress(FileNotFoundError):
            stat = file.stat()
            steps |= {int(record["step"]): record for record in _attempt(file, stat.st_size, stat.st_mtime_ns)}
    return [steps[step] for step in sorted(steps)]


@lru_cache(maxsize=16)
def _attempt(file: Path, size: int, changed: int) -> tuple[dict[str, Any], ...]:
    """The records of one attempt. The display asks twice a second, so a file is read again only when it has grown."""
    records = []
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("data"), dict) and "step" in record:
                records.append(record)
    return tuple(records)


def write_metrics(stage: Path) -> None:
    """`metrics.jsonl`: the merged view, for people and tools."""
    write_atomic(stage / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in read_metrics(stage)))


def series(records: Iterable[dict[str, Any]], key: str) -> list[float]:
    """One metric over the steps that have it."""
    return [float(record["data"][key]) for record in records if key in record["data"]]


def our_share(records: Iterable[dict[str, Any]]) -> float | None:
    """Time of reward, bridge and logging over the time of the step, over all steps but the first (which warms up)."""
    ours = whole = 0.0
    for record in list(records)[1:]:
        data = record["data"]
        if "timing_s/step" in data and "medrft/reward_seconds" in data:
            ours += data["medrft/reward_seconds"] + data["medrft/logging_seconds"]
            whole += data["timing_s/step"]
    return ours / whole if whole else None
