"""Phantom sets: every item by itself, splits apart, classes by weight."""

from __future__ import annotations

import pytest
from medrft.envs import get_env
from medrft.envs.source_phantom import PhantomSource, split_code
from medrft.envs.spec import PhantomSpec


def test_an_item_does_not_depend_on_the_others():
    env = get_env("phantom-ground@1")
    row = list(env.rows("val", 0, 12))[11]
    alone = next(env.rows("val", skip=11))
    assert alone == row
    fewer = get_env("phantom-ground@1", {"source": {"n": {"val": 12}}})
    assert next(fewer.rows("val", skip=11)) == row


def test_splits_and_seeds_share_no_image():
    images = set()
    for seed in (0, 1):
        env = get_env("phantom-classify@1", {"source": {"seed": seed, "n": {"extra": 40}}})
        for split in env.splits:
            images |= {row.image_png for row in env.rows(split, 0, 40)}
    assert len(images) == 2 * 4 * 40
    assert len({split_code(name) for name in ("train", "val", "test", "extra", "test2")}) == 5


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_classes_follow_the_weights(split):
    env = get_env("phantom-classify@1", {"source": {"weights": {"none": 2, "malignant": 0}}})
    assert env.choices == ("none", "cyst", "benign")
    facts = env.describe(split)
    for name, share in (("none", 0.5), ("cyst", 0.25), ("benign", 0.25)):
        assert facts["classes"][name] / facts["rows"] == pytest.approx(share, abs=0.02)
    assert facts["majority_share"] == pytest.approx(0.5, abs=0.02)


def test_every_stretch_is_balanced():
    source = PhantomSource(PhantomSpec())
    labels = [entry.label for entry in source.entries("train")][:512]
    for start in range(0, 512, 32):
        counts = [labels[start : start + 32].count(name) for name in source.labels]
        assert max(counts) - min(counts) <= 3


def test_entry_and_image_agree():
    source = PhantomSource(PhantomSpec(n={"train": 60}))
    for entry in source.entries("train"):
        record = source.read(entry)
        assert record.meta == {"lesion": entry.label, "size_grade": entry.grade}
        assert bool(record.boxes) == entry.positive
        assert record.attributes
