"""MedMNIST files: the official RetinaMNIST where it is at hand, and every way such a file can be wrong."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from medrft.envs import Env, EnvError, data_folder, get_env
from medrft.envs.source_medmnist import CLASS_NAMES, MedMnistSource
from medrft.envs.spec import MedMnistSpec


def arrays(**changes):
    rng = np.random.default_rng(0)
    made = {}
    for split, n in (("train", 6), ("val", 3), ("test", 4)):
        made[f"{split}_images"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(n) % 2).reshape(n, 1)
    made.update(changes)
    return {key: value for key, value in made.items() if value is not None}


def open_env(path, **source) -> Env:
    return Env(
        {"id": "t@1", "source": {"kind": "medmnist", "path": str(path), **source}, "task": {"kind": "classification"}}
    )


@pytest.fixture
def good(tmp_path):
    np.savez(tmp_path / "breastmnist.npz", **arrays())
    return tmp_path / "breastmnist.npz"


def test_records(good):
    env = open_env(good)
    assert env.choices == CLASS_NAMES["breastmnist"]
    assert env.describe("train") == {
        "rows": 6,
        "classes": {"malignant": 3, "non-malignant": 3},
        "majority_share": 0.5,
    }
    rows = list(env.rows("val", skip=1))
    assert [row.sample.target.value for row in rows] == ["non-malignant", "malignant"]
    again = pickle.loads(pickle.dumps(env))
    assert next(again.rows("val", 1)).image_png == rows[0].image_png


OBJECTS = np.array([{"a": 1}, None, "x", 1, 2, 3], dtype=object)
BAD = [
    ({"val_labels": None}, "has no array val_labels"),
    ({"test_images": None}, "has no array test_images"),
    ({"train_images": np.zeros((6, 28, 28), np.float32)}, r"expected train_images to be uint8 .* but got float32"),
    ({"train_images": np.zeros((6, 28), np.uint8)}, r"expected train_images to be uint8 of shape \[N, H, W\]"),
    ({"train_images": np.zeros((6, 8, 8, 8), np.uint8)}, r"3-D sets are not supported"),
    ({"train_labels": np.zeros((6, 14), np.uint8)}, r"multi-label sets are not supported"),
    ({"train_labels": np.zeros((6, 1))}, r"expected train_labels to be integers of shape \[N, 1\] but got float64"),
    ({"train_labels": np.zeros((5, 1), int)}, r"train_images holds 6 images but train_labels holds 5 labels"),
    ({"train_labels": np.full((6, 1), -1)}, r"holds the negative label -1"),
    ({"train_labels": np.full((6, 1), 7)}, r"label 7 occurs but only 2 class names are known"),
    ({"train_labels": OBJECTS}, r"train_labels holds Python objects, which are never unpickled"),
    ({"train_images": OBJECTS}, r"train_images holds Python objects"),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_bad_arrays(tmp_path, changes, sentence):
    np.savez(tmp_path / "breastmnist.npz", **arrays(**changes))
    with pytest.raises(EnvError, match=sentence):
        open_env(tmp_path / "breastmnist.npz")


def test_bad_files(tmp_path, good):
    with pytest.raises(EnvError, match=r"does not exist; download it"):
        open_env(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(EnvError, match=r"not a readable npz file"):
        open_env(tmp_path / "text.npz")
    whole = good.read_bytes()
    for share in (0.1, 0.5, 0.95):
        (tmp_path / "breastmnist_cut.npz").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(EnvError, match="truncated"):
            open_env(tmp_path / "breastmnist_cut.npz")
    spoiled = bytearray(whole)
    at = whole.index(b"train_images.npy") + 400
    spoiled[at : at + 200] = bytes(200)
    (tmp_path / "breastmnist_bad.npz").write_bytes(spoiled)
    with pytest.raises(EnvError, match="train_images is truncated or damaged"):
        list(open_env(tmp_path / "breastmnist_bad.npz").rows("train"))


def test_class_names(tmp_path, good):
    named = tmp_path / "mine.npz"
    named.write_bytes(good.read_bytes())
    with pytest.raises(EnvError, match="the class names of 'mine' are not known"):
        open_env(named)
    assert open_env(named, labels=["no", "yes"]).choices == ("no", "yes")
    assert open_env(named, flag="pneumoniamnist").choices == ("normal", "pneumonia")
    with pytest.raises(EnvError, match=r"'breastmist' are not known \(did you mean 'breastmnist'\?\)"):
        open_env(named, flag="breastmist")


def test_grounding_is_refused(good):
    with pytest.raises(EnvError, match="MedMNIST has no boxes"):
        Env({"source": {"kind": "medmnist", "path": str(good)}, "task": {"kind": "grounding"}})


RETINA = (data_folder() or Path()) / "retinamnist" / "retinamnist.npz"


@pytest.mark.skipif(not RETINA.is_file(), reason="RetinaMNIST is not under MEDRFT_DATA")
def test_official_retinamnist(monkeypatch):
    monkeypatch.setenv("MEDRFT_DATA", str(RETINA.parent.parent.resolve()))
    env = get_env("retina-grade@1")
    assert [env.describe(split)["rows"] for split in env.splits] == [1080, 120, 400]
    assert env.describe("test")["classes"] == {"0": 174, "1": 46, "2": 92, "3": 68, "4": 20}
    assert env.describe("test")["majority_share"] == pytest.approx(0.435)
    row = next(env.rows("test"))
    assert (row.sample.image.width, row.sample.image.height) == (64, 64)
    assert MedMnistSource(MedMnistSpec(path=str(RETINA))).labels == ("0", "1", "2", "3", "4")


def test_header_that_claims_a_huge_array(tmp_path):
    path = tmp_path / "breastmnist.npz"
    np.savez(path, **{key: value for key, value in arrays().items() if key != "train_images"})
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (6, 2**24, 2**24)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_images.npy", header.getvalue() + bytes(100))
    with pytest.raises(EnvError, match="train_images is truncated or damaged"):
        list(open_env(path).rows("train"))
