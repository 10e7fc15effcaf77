"""Bad input is refused before anything is started, through the launcher's own door, and leaves nothing behind."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import io
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medrft.recipes import launcher, processes, verl_config
from medrft.recipes.display import Display
from medrft.recipes.errors import RecipeError
from medrft.recipes.preflight import ENTRY_POINTS, NEEDED, check_installed, check_machine
from PIL import Image
from rich.console import Console


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch) -> Callable[..., str]:
    """`refusal(recipe)`: the sentence with which `train` refuses; afterwards everything is as it was."""
    monkeypatch.setattr(launcher, "check_installed", lambda recipe: None)
    monkeypatch.setattr(verl_config, "compose", lambda *args, **kwargs: {})  # ten seconds, and verl
    monkeypatch.setattr(processes, "run", lambda *args, **kwargs: pytest.fail("something was started"))

    def refuse(recipe: Any) -> str:
        place = tmp_path / "out"
        place.mkdir(exist_ok=True)
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        with pytest.raises(RecipeError) as caught:
            launcher.train(recipe, place / "run", Display(Console(file=io.StringIO())))
        assert list(place.iterdir()) == [], "nothing half-written"
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
        sentence = str(caught.value)
        assert "\n" not in sentence
        assert sentence.isprintable()
        return sentence

    return refuse


ROWS = [
    {"path": "a.png", "label": "benign", "grade": 1, "boxes": "[[2, 3, 20, 25]]", "split": "train", "patient": "Ann"},
    {"path": "b.png", "label": "malignant", "grade": 2, "boxes": "[]", "split": "train", "patient": "Bob"},
    {"path": "c.png", "label": "benign", "grade": 0, "boxes": "[[0, 0, 9, 9]]", "split": "val", "patient": "Cid"},
    {"path": "d.png", "label": "malignant", "grade": 3, "boxes": "[]", "split": "test", "patient": "Dee"},
]
TASKS = {
    "classification": {"kind": "classification", "choices": ["benign", "malignant"]},
    "grading": {"kind": "grading", "levels": 4},
    "grounding": {"kind": "grounding"},
}
ENVS = {
    "classification": "phantom-classify@1",
    "grading": "phantom-grade@1",
    "grounding": "phantom-ground@1",
}
STAGES = [{"name": "warmup", "kind": "sft", "steps": 1}, {"name": "rft", "kind": "rft", "steps": 1, "prompts": 2}]


@pytest.fixture
def manifest(recipe, tmp_path: Path) -> Callable[..., Any]:
    """`manifest({0: {"label": "x"}})`: a recipe over four images with a manifest, spoiled in one way."""

    def make(changes: dict[int, dict[str, Any]] | None = None, task: str = "classification", **keys: Any) -> Any:
        images = tmp_path / "images"
        images.mkdir()
        rng = np.random.default_rng(0)
        rows = [{**row, **(changes or {}).get(index, {})} for index, row in enumerate(ROWS)]
        for row in ROWS:
            Image.fromarray(rng.integers(0, 256, (30, 40), dtype=np.uint8)).save(images / str(row["path"]))
        with (images / "labels.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(ROWS[0]))
            writer.writeheader()
            writer.writerows(rows)
        source = {"kind": "manifest", "path": str(images / "labels.csv")}
        env = {"id": ENVS[task], "overrides": {"source": source, "task": TASKS[task]}}
        keys = {"stages": STAGES, "eval": {"before": "warmup", "after": "rft"}, **keys}
        return recipe(env=env, **keys)

    return make


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["stages.rft.prompts=33"], "stage 'rft' takes 33 prompts a step, but split 'train' gives it 32"),
        (["stages.rft.limit=3"], "stage 'rft' takes 4 prompts a step, but split 'train' gives it 3"),
        (["stages.warmup.split=warm"], "split 'warm' is empty or does not exist in env 'phantom-classify@1'; it has"),
        (["eval.split=tset"], "split 'tset' is empty or does not exist"),
        (["reward=mfrs"], "reward 'ordinal@1' grades Grade targets, but the env gives Label"),
        (["reward=grounding"], "reward 'box_iou@1' grades Boxes targets, but the env gives Label"),
        (["resources.free_disk_gb=1e9"], "GB free and the recipe asks for 1e+09"),
    ],
)
def test_a_recipe_that_its_env_or_its_machine_cannot_carry(recipe, refusal, settings, sentence):
    assert sentence in refusal(recipe(*settings))


@pytest.mark.parametrize(
    ("changes", "task", "reward", "sentence"),
    [
        (
            {2: {"split": "train"}},
            "classification",
            "v_rft",
            "split 'val' (a few rows of it, for the validation that verl or stop_at_accuracy asks for) is empty",
        ),
        ({2: {"patient": "Ann"}}, "classification", "v_rft", "column patient: 1 patient in more than one split"),
        ({1: {"label": "cyst"}}, "classification", "v_rft", "row 3, column label: 'cyst' is not one of the classes"),
        ({1: {"grade": 4}}, "grading", "mfrs", "row 3, column grade: the grade 4 is outside 0 to 3"),
        (
            {1: {"boxes": "[[2, 3, 20, 31]]"}},
            "grounding",
            "grounding",
            "row 3, column boxes: the box [2, 3, 20, 31] lies outside its image of 40 x 30 pixels",
        ),
        ({1: {"path": "gone.png"}}, "classification", "v_rft", "row 3, column path: the image gone.png does not exist"),
    ],
)
def test_bad_data(manifest, refusal, changes, task, reward, sentence):
    assert sentence in refusal(manifest(changes, task, reward=reward))


@pytest.mark.parametrize("spoil", ["truncated", "text", "empty"])
def test_a_damaged_image(manifest, refusal, tmp_path, spoil):
    loaded = manifest()
    image = tmp_path / "images" / "b.png"
    content = {"truncated": image.read_bytes()[:200], "text": b"this is no image", "empty": b""}[spoil]
    image.write_bytes(content)
    assert "row 3, column path" in refusal(loaded)


def test_a_right_manifest_gets_as_far_as_the_first_child(manifest, refusal):
    """The tests above refuse for their own reason, not for one that they share."""
    with pytest.raises(pytest.fail.Exception, match="something was started"):
        refusal(manifest())


@pytest.mark.parametrize("content", [b"PK\x03\x04 half an archive", b"", b"not an archive"])
def test_an_npz_that_is_none(recipe, refusal, tmp_path, content):
    (tmp_path / "retinamnist.npz").write_bytes(content)
    source = {"kind": "medmnist", "path": str(tmp_path / "retinamnist.npz")}
    assert "retinamnist.npz" in refusal(
        recipe(env={"id": "retina-grade@1", "overrides": {"source": source}}, reward="mfrs")
    )


def test_a_port_in_use(recipe, refusal):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = refusal(recipe(f"resources.dashboard_port={port}"))
    assert sentence.startswith(f"port {port} (resources.dashboard_port) is in use")


def test_a_port_is_free_right_after_its_last_connection(recipe, refusal):
    """A run that goes on at once must not stumble over its own dashboard's port in TIME_WAIT."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            connection, _ = server.accept()
            connection.close()  # the side that closes first keeps the port in TIME_WAIT
    with pytest.raises(pytest.fail.Exception, match="something was started"):
        refusal(recipe(f"resources.dashboard_port={port}"))


@pytest.mark.parametrize("make", [True, False])
def test_a_model_folder_that_is_none(recipe, refusal, tmp_path, make):
    if make:
        (tmp_path / "model").mkdir()
    sentence = refusal(recipe(model={"path": str(tmp_path / "model")}))
    assert sentence == f"model.path {tmp_path / 'model'} is no checkpoint folder: it has no config.json"


def test_a_folder_of_another_recipe_and_a_folder_of_something_else(recipe, refusal, tmp_path):
    display = Display(Console(file=io.StringIO()))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(RecipeError, match="is not empty and holds no run"):
        launcher.train(recipe(), tmp_path / "run", display)
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_the_trainer_is_not_installed(recipe, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("verl", "vllm") else real(name))
    with pytest.raises(
        RecipeError,
        match=r"the trainer is not installed \(.*verl, vllm.* missing\)\. In a clone of medrft run: pip install",
    ):
        check_installed(recipe())


@pytest.mark.parametrize("group", ENTRY_POINTS)
def test_a_plugin_that_is_not_registered(recipe, monkeypatch, group):
    """As when the sources are on PYTHONPATH but the project was never installed."""
    real = importlib.metadata.entry_points
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in NEEDED)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **by: [] if by.get("group") == group else real(**by))
    with pytest.raises(RecipeError, match=rf"'medrft' is not registered in the entry-point group '{group}'"):
        check_installed(recipe())
    check_installed(recipe("profile=gpu"))  # that profile needs none of them


def test_a_folder_made_beforehand_stays_empty(manifest, tmp_path, monkeypatch):
    """`--run $(mktemp -d)`: a refusal must not make the empty folder another recipe's."""
    monkeypatch.setattr(launcher, "check_installed", lambda recipe: None)
    monkeypatch.setattr(verl_config, "compose", lambda *a, **k: {})
    loaded = manifest()
    (tmp_path / "images" / "b.png").write_bytes(b"no image")  # found by the build, after the claim
    (tmp_path / "run").mkdir()
    with pytest.raises(RecipeError):
        launcher.train(loaded, tmp_path / "run", Display(Console(file=io.StringIO())))
    assert list((tmp_path / "run").iterdir()) == []


def test_a_place_where_nothing_can_be_written(recipe, tmp_path, monkeypatch):
    """Said by `--dry-run` too, which writes nothing."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RecipeError, match=r"cannot write to .*/file/run: .*/file is a file\. Give another folder"):
        check_machine(recipe(), tmp_path / "file" / "run")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root, whom no mode bits stop
    with pytest.raises(RecipeError, match=r"cannot write to .*/run: permission denied"):
        check_machine(recipe(), tmp_path / "run")
