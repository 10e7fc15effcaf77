"""Phantoms as a source: balanced by weight, every item seeded by itself."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import cast

import numpy as np
from PIL import Image

from .phantom import LesionName, simulate
from .phantom_lesion import LESIONS
from .record import Entry, PixelBox, Record
from .spec import PhantomSpec

_GOLDEN = (math.sqrt(5) - 1) / 2
_SPLITS = {"train": 0, "val": 1, "test": 2}


def split_code(split: str) -> int:
    """Keeps the seeds of splits apart; depends on the name alone, so adding a split moves nothing."""
    return _SPLITS.get(split, 3 + zlib.crc32(split.encode()))


class PhantomSource:
    """`SeedSequence([seed, split_code, i])` makes item i, whatever else is made.

    Lesions follow the golden-ratio sequence, which keeps every stretch of the set close to the weights.
    """

    def __init__(self, spec: PhantomSpec) -> None:
        self.spec = spec
        weights = np.array([spec.weights.get(name, 0.0) for name in LESIONS])
        self._edges = np.cumsum(weights / weights.sum())

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.spec.n)

    @property
    def labels(self) -> tuple[str, ...]:
        """Only lesions that can occur, in the order none, cyst, benign, malignant."""
        return tuple(name for name in LESIONS if self.spec.weights.get(name, 0.0) > 0)

    def entry(self, split: str, index: int) -> Entry:
        """Item `index`, without making any other."""
        rng = self._rng(split, index, 0)
        point = (0.5 + index * _GOLDEN) % 1.0
        lesion = LESIONS[min(int(np.searchsorted(self._edges, point, side="right")), len(LESIONS) - 1)]
        grade = 0 if lesion == "none" else int(rng.integers(1, 5))
        return Entry(f"phantom-{self.spec.seed}-{split}-{index}", split, index, lesion, grade, lesion != "none")

    def entries(self, split: str) -> Iterator[Entry]:
        return (self.entry(split, index) for index in range(self.spec.n[split]))

    def read(self, entry: Entry) -> Record:
        lesion = cast(LesionName, entry.label)
        made = simulate(self._rng(entry.split, entry.index, 1), size=self.spec.size, lesion=lesion, grade=entry.grade)
        return Record(
            entry,
            Image.fromarray(made.image),
            boxes=(PixelBox(*made.box),) if made.box else (),
            spacing_mm=made.spacing_mm,
            attributes=made.attributes or {"finding": "no mass"},
            meta={"lesion": made.lesion, "size_grade": made.grade},
        )

    def _rng(self, split: str, index: int, stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.spec.seed, split_code(split), index, stream]))
