"""A build is whole or absent, the same bytes each time, and holds no patient's identity."""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from medrft.envs import EnvError, build, get_env, parquet, read_manifest
from medrft.rewards import Sample

MODULE = importlib.import_module("medrft.envs.build")  # the folder's face shows the function of that name
SMALL = {"source": {"n": {"train": 300, "val": 5, "test": 7}}, "answer_format": "answer"}


def files(folder) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
def env():
    return get_env("phantom-ground@1", SMALL)


def test_layout_and_manifest(env, tmp_path):
    out = tmp_path / "deep" / "data"
    manifest = build(env, out)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["data"], "nothing stays beside the build"
    assert manifest == read_manifest(out)
    assert files(out).keys() == {"train.parquet", "val.parquet", "test.parquet", "manifest.json"}
    for split, each in manifest.splits.items():
        assert each.sha256 == files(out)[each.name]
        assert each.facts == env.describe(split)
    table = pq.read_table(out / "train.parquet")
    assert table.schema.equals(parquet.SCHEMA)
    assert pq.ParquetFile(out / "train.parquet").num_row_groups == 2
    rows = list(env.rows("train"))
    for number in (0, 255, 256, 299):
        cells, row = table.slice(number, 1).to_pylist()[0], rows[number]
        assert Sample.model_validate_json(cells["reward_model"]["ground_truth"]) == row.sample
        assert cells["images"] == [{"bytes": row.image_png, "path": None}]
        assert cells["prompt"] == row.messages
        assert (cells["data_source"], cells["ability"]) == ("phantom-ground@1", "grounding")
        assert cells["extra_info"] == {
            "index": number,
            "split": "train",
            "id": row.sample.id,
            "demonstration": row.demonstration,
        }


def test_same_bytes_again_and_with_workers(env, tmp_path):
    build(env, tmp_path / "a", workers=1)
    build(env, tmp_path / "b", workers=2)
    build(env, tmp_path / "a", workers=1)  # replaces an earlier build
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert str(tmp_path) not in (tmp_path / "a" / "manifest.json").read_text()
    other = get_env("phantom-ground@1", {**SMALL, "source": {**SMALL["source"], "seed": 1}})
    assert build(other, tmp_path / "c").splits["val"].sha256 != read_manifest(tmp_path / "a").splits["val"].sha256


def test_one_split(env, tmp_path):
    assert list(build(env, tmp_path / "a", splits=["val"]).splits) == ["val"]
    with pytest.raises(EnvError, match=r"no item in the split 'vall' \(did you mean 'val'\?\)"):
        build(env, tmp_path / "b", splits=["vall"])
    with pytest.raises(EnvError, match="no split to build"):
        build(env, tmp_path / "b", splits=[])
    with pytest.raises(EnvError, match="workers of 1 or more"):
        build(env, tmp_path / "b", workers=0)
    assert not (tmp_path / "b").exists()


def test_foreign_folders_are_not_touched(env, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(EnvError, match=r"holds notes.txt, which is not part of an earlier build"):
        build(env, tmp_path)
    out = tmp_path / "data"
    build(env, out, splits=["val"])
    (out / "notes.txt").write_text("mine")
    with pytest.raises(EnvError, match=r"holds notes.txt"):
        build(env, out)
    with pytest.raises(EnvError, match="is not a plain folder"):
        build(env, tmp_path / "notes.txt")
    with pytest.raises(EnvError, match="cannot be written"):
        build(env, tmp_path / "notes.txt" / "below")
    (tmp_path / "empty").mkdir()
    build(env, tmp_path / "empty", splits=["val"])


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_image_leaves_nothing(manifest_env, images, tmp_path_factory, workers):
    env = manifest_env()
    (images / "d.png").write_bytes((images / "d.png").read_bytes()[:200])
    parent = tmp_path_factory.mktemp("out")
    with pytest.raises(EnvError, match=r"row 5, column file: .* truncated or damaged"):
        build(env, parent / "data", workers=workers)
    assert list(parent.iterdir()) == []


def test_failed_rebuild_keeps_the_old_build(manifest_env, images, tmp_path_factory):
    env, out = manifest_env(), tmp_path_factory.mktemp("out") / "data"
    build(env, out)
    before = files(out)
    (images / "d.png").write_bytes(b"damaged")
    with pytest.raises(EnvError):
        build(env, out)
    assert files(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["data"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk(env, tmp_path, monkeypatch):
    real = parquet.write_parquet

    def onto_a_full_disk(path, groups):
        path.symlink_to("/dev/full")
        return real(path, groups)

    monkeypatch.setattr(MODULE, "write_parquet", onto_a_full_disk)
    with pytest.raises(EnvError, match=r"the disk of .*data is full; free some space") as caught:
        build(env, tmp_path / "data")
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_interrupt_leaves_nothing(env, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MODULE, "_sha256", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(env, tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_no_patient_reaches_the_files(manifest_env, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "data"
    build(manifest_env(), out)
    for path in out.iterdir():
        content = path.read_bytes()
        assert not any(name in content for name in (b"Ann", b"Bob", b"Cid", b"Dee")), path.name
    sample = json.loads(pq.read_table(out / "val.parquet").to_pylist()[0]["reward_model"]["ground_truth"])
    assert sample["meta"]["group"] == 2


def test_damaged_manifest(tmp_path):
    with pytest.raises(EnvError, match="build the env into that folder first"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(EnvError, match="is not the manifest of a build"):
        read_manifest(tmp_path)


def test_script_without_a_main_guard_is_told(tmp_path):
    script = tmp_path / "careless.py"
    script.write_text(
        "from medrft.envs import build, get_env, EnvError\n"
        "try:\n"
        f"    build(get_env('phantom-classify@1'), {str(tmp_path / 'data')!r}, splits=['val'], workers=2)\n"
        "except EnvError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert "call build under `if __name__" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["careless.py"]


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """Peak memory of 2,400 rows against 900, of 128 x 128 noise: 15 MiB of PNG more, a few MiB of memory more."""
    script = (
        "import resource, sys\n"
        "from medrft.envs import build, get_env\n"
        "env = get_env('phantom-classify@1', {'source': {'n': {'train': int(sys.argv[1])}, 'size': 128}})\n"
        "build(env, sys.argv[2], splits=['train'], workers=1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for count in (900, 2400):
        command = [sys.executable, "-c", script, str(count), str(tmp_path / str(count))]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout))
    grown = (tmp_path / "2400" / "train.parquet").stat().st_size - (tmp_path / "900" / "train.parquet").stat().st_size
    assert grown > 12 * 2**20
    assert (peaks[1] - peaks[0]) * 1024 < grown / 2


def test_importing_is_light():
    heavy = ("torch", "verl", "vllm", "ray", "transformers")
    code = f"import sys, medrft.envs; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_png_is_lossless(env):
    from io import BytesIO

    from PIL import Image

    row = next(env.rows("val"))
    again = np.asarray(Image.open(BytesIO(row.image_png)))
    assert again.shape == (64, 64)
    assert (again == np.asarray(env.source.read(next(env.entries("val"))).image)).all()
