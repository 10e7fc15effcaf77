"""Image files listed in a CSV or JSONL manifest.

The manifest is read twice: once in full, when the source is made, to find what is wrong before anything is built
(labels, grades, boxes, paths, patients or images in two splits); then row by row. Pixels are decoded only when a record
is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import EnvError, did_you_mean
from .images import decode
from .manifest_rows import cell, check_grade, check_label, parse_boxes, read_rows
from .paths import expand
from .record import Entry, PixelBox, Record
from .spec import ManifestSpec

_SPLIT_NAME = re.compile(r"[A-Za-z0-9_-]+")
_DEFAULTS = {"path": ("path", "file"), "patient": ("patient", "patient_id")}
_BOXES = ("boxes", "boxes_xywh")
_ROLES = ("path", "label", "grade", "boxes", "boxes_xywh", "split", "patient", "id", "spacing_mm")


@dataclass(frozen=True)
class _Row:
    """What `read` needs of a row; travels to worker processes inside an Entry."""

    number: int
    path: str
    boxes: tuple[PixelBox, ...] | None
    spacing_mm: tuple[float, float] | None
    attributes: dict[str, str]


@dataclass
class _Seen:
    """What has to be remembered across rows to find leaks: a few bytes a row, never the rows."""

    counts: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    patients: dict[str, tuple[str, int]] = field(default_factory=dict)
    images: dict[str, tuple[str, int]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    leaks: dict[str, tuple[int, int]] = field(default_factory=dict)


class ManifestSource:
    """`choices`, `levels` and `boxes` say what the task needs, and so which columns must be there and right."""

    def __init__(
        self,
        spec: ManifestSpec,
        *,
        choices: tuple[str, ...] | None = None,
        levels: int | None = None,
        boxes: bool = False,
    ) -> None:
        self.path = expand(spec.path)
        self.root = (expand(spec.root) if spec.root else self.path.parent).resolve()
        self._choices, self._levels, self._needs_boxes = choices, levels, boxes
        self._spec = spec
        self._columns: dict[str, str] = {}
        self._groups: dict[str, int] = {}
        self._counts = self._check_all()

    @property
    def splits(self) -> tuple[str, ...]:
        order = {name: place for place, name in enumerate(("train", "val", "test"))}
        return tuple(sorted(self._counts, key=lambda name: (order.get(name, len(order)), name)))

    @property
    def labels(self) -> tuple[str, ...] | None:
        return None

    def entries(self, split: str) -> Iterator[Entry]:
        index = 0
        for number, row in read_rows(self.path):
            if cell(row, self._columns["split"]) == split:
                yield self._entry(number, row, split, index)
                index += 1

    def read(self, entry: Entry) -> Record:
        row: _Row = entry.data
        where = self._where(row.number, "path")
        image = decode(self._resolve(row.path, where), where, has_boxes=bool(row.boxes))
        for box in row.boxes or ():
            if box.x0 < 0 or box.y0 < 0 or box.x1 > image.width or box.y1 > image.height:
                column = "boxes" if "boxes" in self._columns else "boxes_xywh"
                raise EnvError(
                    f"{self._where(row.number, column)}: the box [{box.x0:g}, {box.y0:g}, {box.x1:g}, {box.y1:g}] lies "
                    f"outside its image of {image.width} x {image.height} pixels; boxes are in pixels of the image "
                    "file."
                )
        return Record(entry, image, row.boxes, row.spacing_mm, row.attributes)

    def _where(self, number: int, role: str) -> str:
        return f"{self.path.name}, row {number}, column {self._columns.get(role, role)}"

    def _check_all(self) -> dict[str, int]:
        seen = _Seen()
        self._groups = seen.groups
        for number, row in read_rows(self.path):
            if not seen.counts:
                self._columns = self._find_columns(tuple(row))
            split = cell(row, self._columns["split"])
            if not _SPLIT_NAME.fullmatch(split):
                problem = "is empty" if not split else f"has the value {split!r}"
                raise EnvError(
                    f"{self._where(number, 'split')} {problem}; expected a name such as train, val or test (letters, "
                    "digits, - and _)."
                )
            seen.counts[split] = seen.counts.get(split, 0) + 1
            self._remember(seen, number, row, split)
            entry = self._entry(number, row, split, 0)
            if "patient" in self._columns and entry.id == cell(row, self._columns["patient"]):
                raise EnvError(
                    f"{self._where(number, 'id')}: the id is the patient's, and ids reach the built files; leave "
                    "source.columns.id out or give ids that identify nobody."
                )
            if entry.id in seen.ids:
                raise EnvError(
                    f"{self._where(number, 'id')}: the id occurs in row {seen.ids[entry.id]} too; ids must be unique."
                )
            seen.ids[entry.id] = number
        if not seen.counts:
            raise EnvError(f"the manifest {self.path} holds no row; expected one image a row.")
        if seen.leaks:
            pairs = "; ".join(f"{a} and {b}" for a, b in list(seen.leaks.values())[:5])
            many = len(seen.leaks)
            raise EnvError(
                f"{self.path.name}, column {self._columns['patient']}: {many} patient{'s' if many > 1 else ''} in more "
                f"than one split (rows {pairs}{'; ...' if many > 5 else ''}); put all images of a patient into one "
                "split."
            )
        return seen.counts

    def _find_columns(self, header: tuple[str, ...]) -> dict[str, str]:
        asked = self._spec.columns.model_dump(exclude={"attributes"})
        found = {}
        for role in _ROLES:
            if asked[role] is not None:
                found[role] = self._present(asked[role], header)
            elif not (role in _BOXES and any(asked[other] for other in _BOXES)):
                names = [name for name in _DEFAULTS.get(role, (role,)) if name in header]
                found.update({role: names[0]} if names else {})
        for name in self._spec.columns.attributes:
            self._present(name, header)
        needed = ["path", "split", *(["label"] if self._choices else []), *(["grade"] if self._levels else [])]
        for role in needed:
            if role not in found:
                raise EnvError(
                    f"{self.path.name}: the column {role} is missing{did_you_mean(role, header)}; add it, or name the "
                    f"right one in source.columns.{role}; the columns are {', '.join(header)}."
                )
        if self._needs_boxes and not set(_BOXES) & set(found):
            raise EnvError(
                f"{self.path.name}: grounding needs the column boxes or boxes_xywh{did_you_mean('boxes', header)}; add "
                "it, or name it in source.columns."
            )
        if set(_BOXES) <= set(found):
            raise EnvError(f"{self.path.name}: both boxes and boxes_xywh are given; keep one of them.")
        return found

    def _present(self, name: str, header: tuple[str, ...]) -> str:
        if name not in header:
            raise EnvError(
                f"{self.path.name}: the column {name!r} is missing{did_you_mean(name, header)}; correct "
                f"source.columns; the columns are {', '.join(header)}."
            )
        return name

    def _remember(self, seen: _Seen, number: int, row: dict[str, Any], split: str) -> None:
        image = str(self._resolve(cell(row, self._columns["path"]), self._where(number, "path")))
        other, first = seen.images.setdefault(image, (split, number))
        if other != split:
            raise EnvError(
                f"{self._where(number, 'path')}: the same image is in split {other} (row {first}) and in split "
                f"{split}; keep one."
            )
        patient = cell(row, self._columns["patient"]) if "patient" in self._columns else ""
        if patient:
            seen.groups.setdefault(patient, len(seen.groups))
            other, first = seen.patients.setdefault(patient, (split, number))
            if other != split:
                seen.leaks.setdefault(patient, (first, number))

    def _resolve(self, text: str, where: str) -> Path:
        """The image file, which must lie under the root once symbolic links are followed."""
        if not text or "\0" in text:
            raise EnvError(f"{where} is {'not a path' if text else 'empty'}; expected the path of an image file.")
        try:
            full = (self.root / text).resolve()
            is_file = full.is_file()
        except PermissionError:
            raise EnvError(
                f"{where}: the image {text} is in a folder that cannot be read; check its permissions."
            ) from None
        except (OSError, RuntimeError) as error:  # a loop of symbolic links
            raise EnvError(f"{where}: the path {text} cannot be resolved ({error}); correct it.") from None
        if not full.is_relative_to(self.root):
            raise EnvError(
                f"{where}: the path {text} leaves the root {self.root}; move the file there or set source.root."
            )
        if not is_file:
            raise EnvError(
                f"{where}: the image {text} does not exist under {self.root}; correct the path or source.root."
            )
        return full

    def _entry(self, number: int, row: dict[str, Any], split: str, index: int) -> Entry:
        label = grade = boxes = spacing = None
        if self._choices:
            label = check_label(cell(row, self._columns["label"]), self._choices, self._where(number, "label"))
        if self._levels:
            grade = check_grade(row.get(self._columns["grade"]), self._levels, self._where(number, "grade"))
        for role in _BOXES:
            if role in self._columns:
                boxes = parse_boxes(row.get(self._columns[role]), self._where(number, role), xywh=role == "boxes_xywh")
        if "spacing_mm" in self._columns and cell(row, self._columns["spacing_mm"]):
            spacing = self._spacing(cell(row, self._columns["spacing_mm"]), number)
        patient = cell(row, self._columns["patient"]) if "patient" in self._columns else ""
        name = (cell(row, self._columns["id"]) if "id" in self._columns else "") or f"row-{number}"
        attributes = {key: cell(row, key) for key in self._spec.columns.attributes if cell(row, key)}
        data = _Row(number, cell(row, self._columns["path"]), boxes, spacing, attributes)
        positive = None if boxes is None else bool(boxes)
        return Entry(name, split, index, label, grade, positive, self._groups.get(patient), data)

    def _spacing(self, text: str, number: int) -> tuple[float, float]:
        try:
            parts = [float(part) for part in text.strip("[]() ").split(",")]
        except ValueError:
            parts = []
        if len(parts) not in (1, 2) or not all(0 < part < 1000 for part in parts):
            raise EnvError(
                f"{self._where(number, 'spacing_mm')}: expected one or two positive numbers in mm but got {text!r}."
            )
        return (parts[0], parts[-1])
