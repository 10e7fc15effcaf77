"""Paths in specs: `${MEDRFT_DATA}` stands for the folder of the real data sets."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import EnvError

DATA_VARIABLE = "MEDRFT_DATA"
_PLACEHOLDER = "${" + DATA_VARIABLE + "}"


def data_folder() -> Path | None:
    """The folder named by MEDRFT_DATA, else `../shared/data` beside the current folder where it exists, else None."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named)
    beside = Path("../shared/data")
    return beside if beside.is_dir() else None


def expand(text: str) -> Path:
    """The path a spec means.

    Raises:
        EnvError: if it uses `${MEDRFT_DATA}` and no such folder is known.
    """
    if _PLACEHOLDER in text:
        folder = data_folder()
        if folder is None:
            raise EnvError(
                f"the path {text} needs the environment variable {DATA_VARIABLE}, which is not set and ../shared/data "
                "does not exist; set it to the folder of your data sets, or give the path in full."
            )
        text = text.replace(_PLACEHOLDER, str(folder))
    if "${" in text:
        raise EnvError(f"the path {text} holds a variable other than {_PLACEHOLDER}; write the path in full.")
    return Path(text).expanduser()
