"""What the README shows works: its Python runs, its recipes are recipes, its commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from medrft.recipes.cli import app
from medrft.recipes.load import available, load
from typer.main import get_command

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", [pytest.param(code, id=f"block {i}") for i, code in enumerate(blocks("python"), 1)])
def test_python_runs(code: str, tmp_path: Path) -> None:
    file = tmp_path / "block.py"  # a file: rewards are named by where they stand
    file.write_text(code)
    done = subprocess.run([sys.executable, str(file)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("text", blocks("yaml"))
def test_recipes_are_recipes(text: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    assert load(str(file)).name == yaml.safe_load(text)["name"]


def commands() -> list[list[str]]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True)) and words[0] == "medrft"]


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in commands()])
def test_commands_exist(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They parse; a recipe they name comes with medrft or stands in the README."""
    group = get_command(app)
    command = group.get_command(None, words[1])  # type: ignore[attr-defined]
    command.make_context(words[1], words[2:])
    if words[1] == "train":
        shown = {yaml.safe_load(text)["name"] for text in blocks("yaml")}
        assert Path(words[2]).stem in {*available(), *shown}


def test_make_has_what_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"sure"}
    assert {"quickstart", "test"} <= named <= targets


@pytest.mark.parametrize(
    "file", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docker/README.md"]
)
def test_links_and_named_files_are_there(file: str) -> None:
    text = (ROOT / file).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    folders = r"rewards|envs|recipes|mae_pretrain|tests|docker|docs|\.ci"
    paths = re.findall(rf"`((?:{folders})/[A-Za-z0-9_./-]*)`", text)
    assert [name for name in links if not (ROOT / file).parent.joinpath(name).exists()] == []
    assert [name for name in paths if not (ROOT / name).exists()] == []
