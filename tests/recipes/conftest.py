"""Shared by the tests of the recipes: a small, right recipe that each test then spoils in one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from medrft.recipes.load import load
from medrft.recipes.schema import Recipe

RECIPE = (Path(__file__).parent / "cases" / "small.yaml").read_text()


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture
def recipe(recipe_file: Path) -> Callable[..., Recipe]:
    """`recipe("stages.rft.steps=3", env={...})`: the small recipe with settings, or with whole keys replaced."""

    def make(*sets: str, **keys: Any) -> Recipe:
        if keys:
            data = yaml.safe_load(RECIPE) | keys
            recipe_file.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
        return load(str(recipe_file), sets)

    return make
