"""A run's folder belongs to one recipe and to one process at a time, and never holds half a file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from medrft.recipes.errors import RecipeError, RunError
from medrft.recipes.run_folder import RunFolder, write_atomic, write_json


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_new_run_and_the_same_recipe_again(recipe, tmp_path):
    run = RunFolder(tmp_path / "deep" / "run", recipe("stages.rft.lr=1e-5", "about=Läsion ja"))
    for _ in range(2):
        with run.locked():
            run.claim()
    assert (run.path / "recipe.yaml").exists()
    again = RunFolder(tmp_path / "deep" / ".." / "deep" / "run", recipe("stages.rft.lr=0.00001", "about=Läsion ja"))
    assert again.path == run.path
    again.claim()


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("stages.rft.lr=0.1", r"stages\[1\]\.lr is 0.0002 there and 0.1 here"),
        ("seed=7", "seed is 1 there and 7 here"),
        ("eval=null", r"eval is \{.* there and None here"),
        ("env.overrides.prompt=full", "env.overrides.prompt is None there and 'full' here"),
    ],
)
def test_another_recipe_is_refused(recipe, tmp_path, setting, difference):
    run = RunFolder(tmp_path / "run", recipe())
    with run.locked():
        run.claim()
    before = contents(tmp_path / "run")
    other = RunFolder(tmp_path / "run", recipe(setting))
    with (
        pytest.raises(RecipeError, match=rf"run holds a run of another recipe \({difference}\)\.") as caught,
        other.locked(),
    ):
        pytest.fail("locked")
    assert len(str(caught.value)) < 400
    assert contents(tmp_path / "run") == before


def test_a_foreign_folder_is_refused_and_left_alone(recipe, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with (
        pytest.raises(RecipeError, match="is not empty and holds no run"),
        RunFolder(tmp_path / "mine", recipe()).locked(),
    ):
        pytest.fail("locked")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"[", b"\xff\xfe", b"", b"- 1\n"])
def test_a_damaged_recipe_is_refused(recipe, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_bytes(content)
    with pytest.raises(RecipeError, match=r"recipe.yaml cannot be read as a recipe"):
        RunFolder(tmp_path / "run", recipe()).claim()


def test_what_a_kill_before_the_first_file_leaves_is_no_obstacle(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lock").write_text("1")
    (tmp_path / "run" / ".recipe.yaml.123").write_text("na")
    RunFolder(tmp_path / "run", recipe()).claim()


def test_a_file_in_the_place_of_the_folder(recipe, tmp_path):
    (tmp_path / "run").write_text("x")
    with (
        pytest.raises(RecipeError, match=r"run: .* Give another folder"),
        RunFolder(tmp_path / "run", recipe()).locked(),
    ):
        pytest.fail("locked")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_place(recipe, tmp_path):
    (tmp_path / "ro").mkdir(mode=0o555)
    with pytest.raises(RecipeError, match="cannot write"), RunFolder(tmp_path / "ro" / "run", recipe()).locked():
        pytest.fail("locked")


HOLDER = """
import sys, time
from pathlib import Path
from medrft.recipes.load import load
from medrft.recipes.run_folder import RunFolder
run = RunFolder(Path(sys.argv[2]), load(sys.argv[1]))
with run.locked():
    run.claim()
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_is_told_and_falls_with_its_holder(recipe, recipe_file, tmp_path):
    run = RunFolder(tmp_path / "run", recipe())
    command = [sys.executable, "-c", HOLDER, str(recipe_file), str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "held\n"
            for _ in range(2):
                refused = pytest.raises(RecipeError, match=rf"in use by another medrft \(process {holder.pid}\)")
                with refused, run.locked():
                    pytest.fail("locked")
        finally:
            holder.kill()
    with run.locked():
        assert (run.path / "lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, number):
    write_json(tmp_path / "a.json", {"old": 1})
    before = contents(tmp_path)
    written = Path.write_text

    def full(self, text, **kwargs):
        written(self, text[:3], **kwargs)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match=r"no space left on the disk of .*; free some and run the same command again"):
        write_json(tmp_path / "a.json", {"new": 2})
    assert contents(tmp_path) == before


def test_a_device_that_is_full(tmp_path):
    """The same on a real file system of 64 KiB, where this process may mount one."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        write_atomic(place / "a.txt", "old")
        with pytest.raises(RunError, match="no space left"):
            write_atomic(place / "a.txt", "x" * 200_000)
        assert {p.name: p.read_text() for p in place.iterdir()} == {"a.txt": "old"}
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_other_faults_of_the_disk_are_not_called_full(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "a", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
