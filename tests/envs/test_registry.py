"""Envs by name: merging, suggestions, plugins."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from medrft.envs import Env, EnvError, EnvSpec, available_envs, get_env, get_spec, register_env, registry


def test_ready_envs():
    assert {"phantom-classify@1", "phantom-grade@1", "phantom-ground@1", "retina-grade@1"} <= set(available_envs())
    for env_id in available_envs():
        assert get_spec(env_id).id == env_id


def test_overrides_merge_key_by_key():
    spec = get_spec("phantom-grade@1", {"source": {"n": {"val": 3}}, "prompt": "full"})
    assert spec.source.n == {"train": 4096, "val": 3, "test": 500}
    assert spec.source.weights["cyst"] == 1.3
    assert (spec.prompt, spec.task.subject) == ("full", "lesion size")
    assert get_spec("phantom-grade@1").prompt == "terse", "the ready spec itself is not changed"


def test_another_kind_replaces_the_whole():
    spec = get_spec("phantom-grade@1", {"task": {"kind": "grounding"}})
    assert spec.task.kind == "grounding"


@pytest.mark.parametrize(
    ("env_id", "overrides", "sentence"),
    [
        (
            "phantom-clasify@1",
            {},
            r"'phantom-clasify@1' is not known \(did you mean 'phantom-classify@1'\?\)",
        ),
        ("phantom-classify@1", {"promt": "full"}, r"promt is not a known key \(did you mean 'prompt'\?\)"),
        ("phantom-classify@1", {"prompt": "long"}, r"prompt: input should be 'terse' or 'full'"),
        (
            "phantom-classify@1",
            {"source": {"n": {"train": 0}}},
            r"source.n.train: input should be greater",
        ),
        ("phantom-classify@1", {"source": {"n": {"a/b": 1}}}, r"a split name has only letters"),
        ("phantom-classify@1", {"source": {"weights": {"cist": 1}}}, r"source.weights.cist"),
        ("phantom-classify@1", {"source": {"kind": "dicom"}}, r"source: .*'phantom', 'medmnist', 'manifest'"),
        ("phantom-classify@1", {"frame": "model_pixel"}, r"frame model_pixel needs `processor`"),
        ("phantom-classify@1", {"task": {"choices": ["none", "cyst"]}}, r"class 'benign' is not in task.choices"),
        ("phantom-classify@1", {"task": {"choices": ["a", "A"]}}, r"at least two distinct, non-empty names"),
        ("phantom-classify@1", {"image_size": 2}, r"image_size"),
        ("phantom-grade@1", {"task": {"names": ["a", "b"]}}, r"expected 5 names, one a grade, but got 2"),
        ("phantom-classify@1", {"source": {"weights": {"cyst": 0, "benign": 0, "malignant": 0}}}, r"needs two"),
    ],
)
def test_wrong_ids_and_overrides(env_id, overrides, sentence):
    with pytest.raises(EnvError, match=sentence) as caught:
        get_env(env_id, overrides)
    assert "\n" not in str(caught.value)


def test_grades_beyond_the_levels():
    env = get_env("phantom-grade@1", {"task": {"levels": 3}})
    with pytest.raises(EnvError, match=r"expected a grade from 0 to 2 but got [34]"):
        list(env.rows("val"))


def test_register(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    spec = {"source": {"kind": "phantom"}, "task": {"kind": "grounding"}}
    register_env("mine@1", spec)
    assert get_env("mine@1").id == "mine@1"
    register_env("mine@1", spec)
    with pytest.raises(EnvError, match="registered already; raise the version"):
        register_env("mine@1", {**spec, "prompt": "full"})
    with pytest.raises(EnvError, match="is not name@version"):
        register_env("mine", spec)
    with pytest.raises(EnvError, match="taks is not a known key"):
        register_env("mine@2", {**spec, "taks": 1})


def plugin_spec() -> EnvSpec:
    return EnvSpec.model_validate({"source": {"kind": "phantom"}, "task": {"kind": "grounding", "subject": "mass"}})


def broken_plugin() -> None:
    raise RuntimeError("no network")


def test_plugins(monkeypatch):
    points = [
        EntryPoint(f"{name}@1", f"plug:{name}", registry.GROUP) for name in ("plugin_spec", "broken_plugin", "gone")
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.attr])
    assert {"plugin_spec@1", "broken_plugin@1", "phantom-ground@1"} <= set(available_envs())
    assert get_env("plugin_spec@1", {"prompt": "full"}).spec.task.subject == "mass"
    with pytest.raises(EnvError, match=r"broken_plugin@1 .* fails to load \(RuntimeError: no network\)"):
        get_env("broken_plugin@1")
    with pytest.raises(EnvError, match=r"gone@1 .* fails to load \(KeyError"):
        get_env("gone@1")


def test_env_from_a_plain_dict():
    env = Env({"source": {"kind": "phantom", "n": {"train": 2}}, "task": {"kind": "classification"}})
    assert env.splits == ("train",)
    assert len(list(env.rows("train"))) == 2
    with pytest.raises(EnvError, match="expected skip and limit of 0 or more"):
        env.rows("train", skip=-1)
