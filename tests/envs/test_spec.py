"""Specs from YAML, and the paths in them."""

from __future__ import annotations

import pytest
from medrft.envs import Env, EnvError, data_folder, load_spec, parse_spec
from medrft.envs.paths import expand

TEXT = """
id: mine@1
source: {kind: phantom, n: {train: 8}}
task: {kind: classification, subject: lesion, aliases: {benign: [fibroadenoma]}}
answer_format: think_boxed
"""


def test_yaml(tmp_path):
    (tmp_path / "env.yaml").write_text(TEXT)
    env = Env(load_spec(tmp_path / "env.yaml"))
    row = next(env.rows("train"))
    assert row.sample.aliases == {"benign": ("fibroadenoma",)}
    assert row.demonstration.endswith("}")
    assert parse_spec(env.spec.model_dump(mode="json")) == env.spec


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("source: [", "cannot be read as YAML"),
        ("- 1", "expected a mapping with source and task but got list"),
        ("task: {kind: grading}", "source: field required"),
        (TEXT + "sead: 1", "sead is not a known key .did you mean 'seed'"),
        (
            TEXT.replace("fibroadenoma]", "x], benin: [y]"),
            "task.aliases has 'benin', which is not one of .*did you mean 'benign'",
        ),
        (TEXT.replace("n: {train: 8}", "n: {}"), "at least one split is needed"),
        (TEXT.replace("n: {train: 8}", "seed: -1"), "source.seed"),
    ],
)
def test_wrong_yaml(tmp_path, text, sentence):
    (tmp_path / "env.yaml").write_text(text)
    with pytest.raises(EnvError, match=sentence):
        Env(load_spec(tmp_path / "env.yaml"))


def test_missing_file(tmp_path):
    with pytest.raises(EnvError, match="does not exist; correct the path"):
        load_spec(tmp_path / "none.yaml")


def test_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDRFT_DATA", str(tmp_path))
    assert expand("${MEDRFT_DATA}/a/b.npz") == tmp_path / "a" / "b.npz"
    with pytest.raises(EnvError, match=r"holds a variable other than \$\{MEDRFT_DATA\}"):
        expand("${HOME}/b.npz")
    monkeypatch.delenv("MEDRFT_DATA")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert data_folder() is None
    with pytest.raises(EnvError, match=r"needs the environment variable MEDRFT_DATA, which is not set"):
        expand("${MEDRFT_DATA}/b.npz")
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert expand("${MEDRFT_DATA}/b.npz").resolve() == tmp_path / "shared" / "data" / "b.npz"
