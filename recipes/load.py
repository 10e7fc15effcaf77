"""From a recipe's file and `--set key=value` to a checked `Recipe`; every fault is one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from .errors import RecipeError, did_you_mean
from .schema import Recipe

HERE = Path(__file__).parent


def available() -> dict[str, Path]:
    """Recipes that come with medrft, by name."""
    return {file.stem: file for file in sorted(HERE.glob("*.yaml")) if file.stem != "agent_loop"}


def find(name: str) -> Path:
    """A file, or the name of a recipe that comes with medrft (`quickstart`, `recipes/quickstart.yaml`)."""
    path = Path(name)
    if path.is_file():
        return path
    known = available()
    if path.stem in known and path.parent.name in ("", "recipes"):
        return known[path.stem]
    raise RecipeError(
        f"no recipe '{name}': it is neither a file nor a recipe of medrft." + did_you_mean(path.stem, known)
    )


def load(name: str, sets: Sequence[str] = (), profile: str | None = None) -> Recipe:
    """The checked recipe.

    Raises:
        RecipeError: a file that cannot be read, a key or value that is wrong.
    """
    path = find(name)
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{path}{where}: not YAML ({getattr(error, 'problem', None) or 'unreadable'})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read ({error})") from None
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys, this file holds {type(data).__name__}")
    for assignment in sets:
        _assign(data, assignment)
    if profile:
        data["profile"] = profile
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"{path}: {_sentence(error, data)}") from None


def _assign(data: dict[str, Any], assignment: str) -> None:
    """`stages.rft.steps=10`, `seed=2`: dotted keys; a list of named things is entered by name or by index."""
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {assignment}: expected key=value, for example --set stages.rft.steps=10")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set {assignment}: the value is not YAML") from None
    if isinstance(value, str):
        try:
            value = float(value)  # YAML 1.1 reads 1e-4 as text; nobody means that
        except ValueError:
            pass
    *parents, last = key.strip().split(".")
    node: Any = data
    for part in parents:
        node = _enter(node, part, assignment)
    if isinstance(node, list):
        node[_index(node, last, assignment)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise RecipeError(f"--set {assignment}: '{'.'.join(parents)}' is a value and has no keys")


def _enter(node: Any, part: str, assignment: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, part, assignment)]
    if isinstance(node, dict):
        return node.setdefault(part, {})
    raise RecipeError(f"--set {assignment}: there is nothing below '{part}'")


def _index(node: list[Any], part: str, assignment: str) -> int:
    names = [item.get("name", "") if isinstance(item, dict) else "" for item in node]
    if part in names:
        return names.index(part)
    if part.isdigit() and int(part) < len(node):
        return int(part)
    raise RecipeError(f"--set {assignment}: no '{part}' there." + did_you_mean(part, filter(None, names)))


def _sentence(error: ValidationError, data: Mapping[str, Any]) -> str:
    """The first fault in words; an unknown key is told before what is missing, since it is most often the same thing."""
    faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    location = [part for part in fault["loc"] if part not in ("sft", "rft", "TinyModel", "PretrainedModel")]
    place = _place(location, data)
    if fault["type"] == "extra_forbidden":
        known = _keys(fault["loc"][:-1], data)
        return f"unknown key '{place}'." + (did_you_mean(str(location[-1]), known) if known else "")
    if fault["type"] == "missing":
        return f"'{place}' is missing"
    message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    given = fault.get("input")
    shown = f"; got {given!r}" if isinstance(given, (str, int, float, bool)) or given is None else ""
    return f"'{place}': {message}{shown}" if place else message


def _place(location: Sequence[int | str], data: Any) -> str:
    """`stages.rft.lr` rather than `stages.1.lr`: people know stages by name."""
    words: list[str] = []
    node = data
    for part in location:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
        named = isinstance(part, int) and isinstance(node, dict) and node.get("name")
        words.append(str(named or part))
    return ".".join(words)


def _keys(location: Sequence[int | str], data: Any) -> list[str]:
    """The keys that the model at this place has."""
    models: list[type[BaseModel]] = [Recipe]
    for part in location:
        if isinstance(part, int):
            continue
        inner: list[type[BaseModel]] = []
        for model in models:
            if part in model.model_fields:
                inner += _models(model.model_fields[part].annotation)
            else:  # the tag of a union
                inner += [model]
        models = [m for m in inner if m.__name__.lower().startswith(str(part).lower())] or inner
    return sorted({key for model in models for key in model.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
