"""Shared by the env tests: a small, right manifest of images that each test then spoils in one way."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medrft.envs import Env
from PIL import Image

Rows = list[dict[str, Any]]

CASES = Path(__file__).parent / "cases"
TASKS: dict[str, dict[str, Any]] = {
    "classification": {"kind": "classification", "choices": ["benign", "malignant"]},
    "grading": {"kind": "grading", "levels": 4},
    "grounding": {"kind": "grounding"},
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with a.png to d.png, 40 x 30 greys."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        Image.fromarray(rng.integers(0, 256, (30, 40), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def write_manifest(folder: Path, rows: Rows, suffix: str = ".csv") -> Path:
    path = folder / f"labels{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def good_rows() -> Rows:
    with (CASES / "labels.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def spoiled(good_rows: Rows) -> Callable[..., Rows]:
    """`spoiled({"3": {"label": "x"}}, drop="split")`: the good rows, changed; the header is row 1."""

    def spoil(changes: dict[str, dict[str, Any]], drop: str | None = None) -> Rows:
        for number, values in changes.items():
            good_rows[int(number) - 2].update(values)
        return [{key: value for key, value in row.items() if key != drop} for row in good_rows]

    return spoil


@pytest.fixture
def manifest_env(images: Path, good_rows: Rows) -> Callable[..., Env]:
    """`manifest_env(rows, task=..., source=..., **spec)`: an Env over those rows."""

    def make(rows: Rows | None = None, *, task: str = "classification", suffix: str = ".csv", **more: Any) -> Env:
        source = {
            "kind": "manifest",
            "path": str(write_manifest(images, rows or good_rows, suffix)),
            **more.pop("source", {}),
        }
        return Env({"id": "test@1", "source": source, "task": {**TASKS[task], **more.pop("task_more", {})}, **more})

    return make
