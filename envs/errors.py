"""The one exception of this folder, and the sentence for a pydantic failure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import ValidationError


class EnvError(ValueError):
    """Bad input to an env. Its text is one sentence: what is wrong, where, what would be right, what to do next."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the closest known word, else an empty string.

    >>> did_you_mean("malignnt", ["benign", "malignant"])
    " (did you mean 'malignant'?)"
    """
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""


def listed(words: Iterable[str], last: str = "or") -> str:
    """Words as people list them.

    >>> listed(["none", "cyst", "benign"])
    'none, cyst or benign'
    """
    items = list(words)
    return f"{', '.join(items[:-1])} {last} {items[-1]}" if len(items) > 1 else "".join(items)


def brief(error: BaseException) -> str:
    """Another library's message on one line, at most 200 characters.

    >>> brief(ValueError("bad\\n  header"))
    'bad header'
    """
    return " ".join(str(error).split())[:200] or type(error).__name__


def explain(error: ValidationError, what: str, known: Iterable[str] = ()) -> str:
    """The first problem of a pydantic error in one sentence; `known` are the keys a misspelt one is compared with."""
    first = error.errors(include_url=False)[0]
    # pydantic puts the kind of a source or task into the place (source.phantom.n), where nobody wrote it.
    parts = [part for at, part in enumerate(first["loc"]) if not (at == 1 and first["loc"][0] in ("source", "task"))]
    where = ".".join(map(str, parts)) or "the top level"
    more = f" (and {error.error_count() - 1} more problems)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        return f"{what}: {where} is not a known key{did_you_mean(key, known)}; remove it or correct its name{more}."
    message = first["msg"].removeprefix("Value error, ")
    return f"{what}: {where}: {message[:1].lower()}{message[1:]}; correct this value{more}."
