"""What a source gives: entries (cheap, no pixels) and records (one at a time, with the image)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from PIL import Image


@dataclass(frozen=True)
class Entry:
    """One item without its pixels; picklable, so that a worker process can read the rest.

    label: class name or None. grade: ordinal grade or None. positive: whether it has a box; None where unknown.
    group: anonymous index of the patient, None where unknown. data: what the source needs to read the item.
    """

    id: str
    split: str
    index: int
    label: str | None = None
    grade: int | None = None
    positive: bool | None = None
    group: int | None = None
    data: Any = None


@dataclass(frozen=True)
class PixelBox:
    """A box in pixels of the record's image, x1 and y1 exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float
    name: str | None = None


@dataclass(frozen=True)
class Record:
    """One item in full. image: mode L or RGB. spacing_mm: (row, column) or None. boxes: None where not annotated."""

    entry: Entry
    image: Image.Image
    boxes: tuple[PixelBox, ...] | None = None
    spacing_mm: tuple[float, float] | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    meta: dict[str, str | int | float | bool | None] = field(default_factory=dict)


class Source(Protocol):
    """Where records come from. Has to survive pickling, so that worker processes can read from it."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that hold at least one item."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Class names in order, None where the source does not know them."""

    def entries(self, split: str) -> Iterator[Entry]:
        """The items of a split, in a fixed order."""

    def read(self, entry: Entry) -> Record:
        """The whole item.

        Raises:
            EnvError: if its image or annotation is bad.
        """
