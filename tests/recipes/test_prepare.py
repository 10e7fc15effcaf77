"""Preparing a run: the recipe's fault leaves nothing behind, the machine's fault leaves a run to go on with."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from medrft.recipes import launcher, processes, verl_config
from medrft.recipes.display import Display
from medrft.recipes.errors import RecipeError, RunError
from medrft.recipes.run_folder import RunFolder
from medrft.recipes.stages import model_path, start_model
from rich.console import Console

REACHED = "the first stage was reached"


@pytest.fixture(autouse=True)
def _up_to_the_first_stage(monkeypatch) -> None:
    def run_stage(*_: Any) -> None:
        raise RunError(REACHED)

    monkeypatch.setattr(launcher, "check_installed", lambda recipe: None)
    monkeypatch.setattr(launcher, "run_stage", run_stage)
    monkeypatch.setattr(verl_config, "compose", lambda *args, **kwargs: {})  # ten seconds, and verl


def train(recipe: Any, run: Path) -> None:
    launcher.train(recipe, run, Display(Console(file=io.StringIO())))


def saying(*lines: str):
    """A prepare that ends badly with these last lines in its log."""

    def run(argv: Any, **_: Any) -> None:
        raise RunError("preparing the model ended with exit code 1", lines=lines)

    return run


def test_a_prompt_that_is_too_long_is_the_recipe_s_fault(recipe, tmp_path):
    """By the real worker, which alone knows the tokenizer."""
    pytest.importorskip("transformers")
    with pytest.raises(RecipeError) as refused:
        train(recipe("max_prompt_tokens=20"), tmp_path / "run")
    sentence = str(refused.value)
    assert sentence.startswith("row 0 of split 'train' has a prompt of ")
    assert sentence.endswith("max_prompt_tokens is 20; raise it in the recipe, or make the images smaller")
    assert not (tmp_path / "run").exists()


def test_a_crash_keeps_the_folder_and_the_same_command_goes_on(recipe, tmp_path, monkeypatch):
    """A checkpoint that transformers cannot read, put right before the second start."""
    pytest.importorskip("transformers")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "qwen3_vl"')
    loaded = recipe(model={"path": str(tmp_path / "model")})
    with pytest.raises(RunError, match="preparing the model ended with exit code 1") as crashed:
        train(loaded, tmp_path / "run")
    assert crashed.value.log == str(tmp_path / "run" / "prepare.log")
    assert crashed.value.lines, "and what it said"
    assert (tmp_path / "run" / "recipe.yaml").exists()
    assert (tmp_path / "run" / "data" / "manifest.json").exists()
    assert not (tmp_path / "run" / "prepared.json").exists()

    monkeypatch.setattr(processes, "run", lambda *args, **kwargs: None)
    built = (tmp_path / "run" / "data" / "manifest.json").stat().st_mtime_ns
    with pytest.raises(RunError, match=REACHED):
        train(loaded, tmp_path / "run")
    assert (tmp_path / "run" / "data" / "manifest.json").stat().st_mtime_ns == built, "built once"
    assert json.loads((tmp_path / "run" / "prepared.json").read_text()) == {"model": str(tmp_path / "model")}


@pytest.mark.parametrize("made", [False, True], ids=["no folder", "an empty folder"])
def test_a_refusal_leaves_what_it_found(recipe, tmp_path, monkeypatch, made):
    if made:
        (tmp_path / "run").mkdir()
    monkeypatch.setattr(processes, "run", saying("Some warning", "error: row 3 is too long"))
    with pytest.raises(RecipeError) as refused:
        train(recipe(), tmp_path / "run")
    assert str(refused.value) == "row 3 is too long"
    assert (tmp_path / "run").exists() == made
    assert not made or list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("lines", [(), ("MemoryError: 3 GB",), ("error: row 3", "torch.OutOfMemoryError: no memory")])
def test_what_is_no_refusal_keeps_the_folder(recipe, tmp_path, monkeypatch, lines):
    monkeypatch.setattr(processes, "run", saying(*lines))
    with pytest.raises(RunError, match="exit code 1"):
        train(recipe(), tmp_path / "run")
    assert {"recipe.yaml", "data", "versions.json"} <= {entry.name for entry in (tmp_path / "run").iterdir()}


def test_a_refusal_in_a_run_that_stands_does_not_remove_it(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "run", saying("MemoryError"))
    with pytest.raises(RunError):
        train(recipe(), tmp_path / "run")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file() and p.name != "lock"}
    monkeypatch.setattr(processes, "run", saying("error: row 3 is too long"))
    with pytest.raises(RecipeError, match="row 3 is too long"):
        train(recipe(), tmp_path / "run")
    assert before
    assert {p: p.read_bytes() for p in before} == before


def test_prepared_once(recipe, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(processes, "run", lambda argv, **_: started.append(argv[2]))
    for _ in range(2):
        with pytest.raises(RunError, match=REACHED):
            train(recipe(), tmp_path / "run")
    assert started == ["medrft.recipes.prepare"]
    assert not (tmp_path / "run" / "prepare.job.json").exists()


def test_a_model_s_path_holds_wherever_the_worker_runs(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for folder in (tmp_path / "models" / "mine", tmp_path / "home" / "theirs"):
        folder.mkdir(parents=True)

    def path(model: Any) -> str:
        return model_path(RunFolder(tmp_path / "run", recipe(model=model)))

    assert path({"path": "models/mine"}) == str(tmp_path / "models" / "mine")
    assert path({"path": "./models/../models/mine/"}) == str(tmp_path / "models" / "mine")
    assert path({"path": "~/theirs"}) == str(tmp_path / "home" / "theirs")
    assert path({"path": str(tmp_path / "models" / "mine")}) == str(tmp_path / "models" / "mine")
    assert path({"path": "Qwen/Qwen3-VL-2B-Instruct"}) == "Qwen/Qwen3-VL-2B-Instruct", "an id, not a folder of here"
    assert path({"kind": "tiny-qwen3-vl"}) == str(tmp_path / "run" / "model")


def test_a_stage_starts_from_its_init_or_from_the_model(recipe, tmp_path):
    run = RunFolder(tmp_path / "run", recipe())
    assert start_model(run, run.recipe.stage("warmup")) == str(run.model)
    assert start_model(run, run.recipe.stage("rft")) == str(tmp_path / "run" / "stages" / "01-warmup" / "final")
