"""Rows of a CSV or JSONL manifest, one at a time, with the row's number in every complaint.

Row numbers are a spreadsheet's: the header of a CSV is row 1. In a JSONL file the row is the line.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import EnvError, did_you_mean
from .record import PixelBox

csv.field_size_limit(1 << 24)


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row number, row) of every row that is not blank.

    Raises:
        EnvError: for a missing file, an unknown extension, text that is not UTF-8, a ragged row, a bad JSON line.
    """
    if not path.is_file():
        here = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise EnvError(f"the manifest {path} does not exist{here}; correct source.path.")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise EnvError(f"the manifest {path} has the unknown extension {suffix!r}; expected .csv or .jsonl.")
    try:
        yield from (_csv_rows if suffix == ".csv" else _json_rows)(path)
    except UnicodeDecodeError as error:
        raise EnvError(f"the manifest {path} is not UTF-8 text ({error.reason}); save it as UTF-8.") from None
    except csv.Error as error:
        raise EnvError(f"the manifest {path} is not readable as CSV ({error}); save it again as plain CSV.") from None
    except OSError as error:
        raise EnvError(f"the manifest {path} cannot be read ({error.strerror}); check its permissions.") from None


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        header = next(reader, None)
        if header is None:
            raise EnvError(f"the manifest {path} is empty; expected a header row and one image a row.")
        if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
            raise EnvError(f"{path.name}, row 1: its cells are not separated by commas; save it as CSV with commas.")
        if len(set(header)) < len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise EnvError(f"{path.name}, row 1: the column {twice!r} occurs twice; rename one of them.")
        for number, cells in enumerate(reader, start=2):
            if not cells:
                continue
            if len(cells) != len(header):
                raise EnvError(
                    f"{path.name}, row {number}: expected {len(header)} cells but got {len(cells)}; quote cells that "
                    "hold commas."
                )
            yield number, dict(zip(header, cells, strict=True))


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
                raise EnvError(
                    f"{path.name}, row {number} is not valid JSON ({reason}); write one object a line."
                ) from None
            if not isinstance(row, dict):
                raise EnvError(f"{path.name}, row {number}: expected a JSON object but got {type(row).__name__}.")
            yield number, row


def cell(row: dict[str, Any], column: str) -> str:
    """A cell as stripped text; empty for an absent or null one."""
    value = row.get(column)
    return "" if value is None else str(value).strip()


def check_label(text: str, choices: tuple[str, ...], where: str) -> str:
    if text in choices:
        return text
    if not text:
        raise EnvError(f"{where} is empty; expected one of {', '.join(choices)}.")
    raise EnvError(f"{where}: {text!r} is not one of the classes {', '.join(choices)}{did_you_mean(text, choices)}.")


def check_grade(value: object, levels: int, where: str) -> int:
    text = "" if value is None else str(value).strip()
    try:
        grade = float(text)
    except ValueError:
        grade = math.nan
    if isinstance(value, bool) or not grade.is_integer():
        raise EnvError(f"{where}: expected an integer grade from 0 to {levels - 1} but got {text!r}.")
    if not 0 <= grade < levels:
        raise EnvError(f"{where}: the grade {text} is outside 0 to {levels - 1}; correct it or set task.levels.")
    return int(grade)


def parse_boxes(value: object, where: str, *, xywh: bool) -> tuple[PixelBox, ...]:
    """Boxes of a cell: JSON `[[x0, y0, x1, y1], ...]`, or x, y, width, height; a name may stand first. Empty: no box.

    Raises:
        EnvError: for bad JSON, wrong lengths, values that are not finite, swapped or equal corners.
    """
    form = "[[x, y, width, height], ...]" if xywh else "[[x0, y0, x1, y1], ...]"
    if isinstance(value, str):
        if not value.strip():
            return ()
        try:
            value = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            raise EnvError(f"{where} is not valid JSON; expected {form} in pixels.") from None
    if value is None:
        return ()
    if not isinstance(value, list):
        raise EnvError(f"{where}: expected {form} in pixels but got {value!r}.")
    return tuple(_box(item, where, form, xywh) for item in value)


def _box(item: object, where: str, form: str, xywh: bool) -> PixelBox:
    name = None
    numbers = item
    if isinstance(item, list) and len(item) == 5 and isinstance(item[0], str):
        name, numbers = item[0], item[1:]
    if (
        not isinstance(numbers, list)
        or len(numbers) != 4
        or not all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    ):
        raise EnvError(f"{where}: expected {form} in pixels but one box is {item!r}.")
    x0, y0, x1, y1 = (float(n) for n in numbers)
    if xywh:
        x1, y1 = x0 + x1, y0 + y1
    if not (x0 < x1 and y0 < y1):
        swapped = "a width or height that is not above 0" if xywh else "swapped or equal corners"
        raise EnvError(f"{where}: the box {item!r} has {swapped}; expected {form} with x0 < x1 and y0 < y1.")
    return PixelBox(x0, y0, x1, y1, name)
