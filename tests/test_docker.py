"""The images take their versions from the extras and the constraints, and run without rights."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def image(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Profile and text, line continuations joined."""
    return request.param.stem, request.param.read_text().replace("\\\n", " ")


def test_there_is_one_for_each_profile() -> None:
    assert [file.stem for file in FILES] == ["cpu", "gpu"]


def test_the_extra_of_the_profile_is_installed_and_no_version_is_written_twice(image: tuple[str, str]) -> None:
    profile, text = image
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert sum(f"'.[{profile}]'" in line for line in installs) == 1
    extras = PROJECT["project"]["optional-dependencies"]
    for name, version in re.findall(r"([A-Za-z0-9_-]+)(?:\[[^]]*\])?==([0-9][^\s\"']*)", text):
        assert any(re.match(rf"{name}(\[.*\])?=={re.escape(version)}$", item) for item in extras[profile])
    if profile == "cpu":
        assert any("-c constraints-cpu.txt" in line and "--extra-index-url" in line for line in installs)


def test_the_python_is_one_that_the_project_takes(image: tuple[str, str]) -> None:
    found = re.findall(r"^FROM python:(\d+\.\d+)-", image[1], re.MULTILINE)
    assert len(found) == 2
    assert set(found) <= {"3.11", "3.12"}
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.13"


def test_it_copies_every_folder_that_is_shipped(image: tuple[str, str]) -> None:
    copied = set(re.findall(r"^COPY ([a-z_]+) \1$", image[1], re.MULTILINE))
    assert copied == set(PROJECT["tool"]["setuptools"]["package-dir"].values())
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    files = " ".join(re.findall(r"^COPY (.+) \./$", image[1], re.MULTILINE)).split()
    assert [name for name in [*copied, *files] if f"!{name}" not in ignored or not (ROOT / name).exists()] == []


def test_it_runs_without_rights_and_looks_at_itself(image: tuple[str, str]) -> None:
    last = image[1].rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root)\w+$", last, re.MULTILINE)
    assert last.rstrip().endswith('CMD ["medrft", "doctor"]')
