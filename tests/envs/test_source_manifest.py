"""A right manifest gives right records; every wrong one is refused in a sentence that names file, row and column."""

from __future__ import annotations

import json
import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medrft.envs import EnvError, EnvSpec
from PIL import Image

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "bad_rows.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_bad_rows(manifest_env, spoiled, case):
    """`set`: cells changed, by row number; `drop`: a column left out; `sentence`: a regular expression."""
    with pytest.raises(EnvError, match=case["sentence"]) as caught:
        manifest_env(spoiled(case.get("set", {}), case.get("drop")), task=case["task"])
    assert not re.search("Ann|Bob", str(caught.value)), "a patient's identity must not be shown"
    assert "\n" not in str(caught.value)


def test_box_outside_its_image(manifest_env, spoiled):
    env = manifest_env(spoiled({"2": {"boxes": "[[2, 3, 41, 25]]"}}), task="grounding")
    with pytest.raises(EnvError, match=r"row 2, column boxes: the box \[2, 3, 41, 25\] lies outside its image of 40"):
        list(env.rows("train"))


def test_negative_images_only_where_allowed(manifest_env):
    env = manifest_env(task="grounding", task_more={"negatives": False})
    with pytest.raises(EnvError, match=r"row-3 has no box but task.negatives is false"):
        list(env.rows("train"))


def test_files_that_are_no_manifest(manifest_env, images):
    def source(name: str, content: bytes) -> dict[str, Any]:
        (images / name).write_bytes(content)
        return {"path": str(images / name)}

    header = b"file,label,split\n"
    cases = [
        (source("a.xlsx", b""), "unknown extension '.xlsx'; expected .csv or .jsonl"),
        (source("b.csv", b""), "b.csv is empty"),
        (source("c.csv", header), "holds no row"),
        (source("d.csv", header + b"a.png,benign\n"), "d.csv, row 2: expected 3 cells but got 2"),
        (source("e.csv", header + b'a.png,"benign,train\n'), "e.csv is not readable as CSV"),
        (source("f.csv", b"\xff\xfe\x00"), "f.csv is not UTF-8 text"),
        (source("g.csv", b"file,file,split\n"), "row 1: the column 'file' occurs twice"),
        (source("n.csv", b"file;label;split\na.png;benign;train\n"), "n.csv, row 1: .* save it as CSV with commas"),
        ({"path": "elsewhere.csv"}, re.escape(f"elsewhere.csv does not exist in {Path.cwd()}; correct source.path")),
        (source("h.jsonl", b'{"file": "a.png"\n'), "h.jsonl, row 1 is not valid JSON"),
        (source("i.jsonl", b"\n[1]\n"), "i.jsonl, row 2: expected a JSON object but got list"),
        (source("j.jsonl", b"[" * 100_000), "row 1 is not valid JSON"),
        ({"path": str(images / "none.csv")}, "none.csv does not exist; correct source.path"),
        (source("k.csv", b"image,label,split\na.png,benign,train\n"), "the column path is missing"),
        (source("l.csv", b"pth,label,split\na.png,benign,train\n"), r"path is missing \(did you mean 'pth'\?\)"),
        (source("m.csv", b"file,label,split,id\na.png,benign,train,1\nb.png,benign,train,1\n"), "ids must be unique"),
    ]
    for more, sentence in cases:
        with pytest.raises(EnvError, match=sentence):
            manifest_env(source=more)


def test_named_column_that_is_not_there(manifest_env):
    with pytest.raises(EnvError, match=r"the column 'lable' is missing \(did you mean 'label'\?\).*source.columns"):
        manifest_env(source={"columns": {"label": "lable"}})


def test_symbolic_link_out_of_the_root(manifest_env, spoiled, images, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("L", (40, 30)).save(outside)
    os.symlink(outside, images / "link.png")
    with pytest.raises(EnvError, match=r"row 2.*link.png leaves the root"):
        manifest_env(spoiled({"2": {"file": "link.png"}}))


def test_loop_of_symbolic_links(manifest_env, spoiled, images):
    os.symlink(images / "loop.png", images / "loop.png")
    with pytest.raises(EnvError, match="row 2"):
        manifest_env(spoiled({"2": {"file": "loop.png"}}))


def test_a_folder_that_may_not_be_read(manifest_env, monkeypatch):
    env = manifest_env()

    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "resolve", refuse)  # tests may run as root, whom no mode bits stop
    with pytest.raises(EnvError, match=r"row 2, column file: the image a.png is in a folder that cannot be read"):
        list(env.rows("train"))


def test_unknown_split(manifest_env):
    with pytest.raises(EnvError, match=r"no item in the split 'trian' \(did you mean 'train'\?\)"):
        manifest_env().rows("trian")


def test_records(manifest_env):
    env = manifest_env(task="grounding", source={"columns": {"attributes": ["label"]}})
    first, second = env.rows("train")
    assert first.sample.target.boxes[0].xyxy == (2, 3, 20, 25)
    assert second.sample.target.boxes == ()
    assert first.sample.attributes == {"label": "benign"}
    assert [row.sample.meta["group"] for row in (first, second)] == [0, 1]
    assert "Ann" not in first.sample.model_dump_json()
    assert env.describe("train")["classes"] == {"negative": 1, "positive": 1}


def test_jsonl_xywh_names_and_spacing(manifest_env):
    rows = [{"path": "a.png", "boxes_xywh": [["left", 2, 3, 18, 22]], "split": "train", "spacing_mm": 0.2, "id": "one"}]
    row = next(manifest_env(rows, task="grounding", suffix=".jsonl").rows("train"))
    box = row.sample.target.boxes[0]
    assert (box.xyxy, box.name) == ((2, 3, 20, 25), "left")
    assert row.sample.image.spacing_mm == (0.2, 0.2)
    assert row.sample.id == "one"


def test_boxes_and_spacing_scale_with_the_image(manifest_env):
    rows = [{"path": "a.png", "boxes": [[2, 3, 20, 25]], "split": "train", "spacing_mm": "0.2, 0.4"}]
    row = next(manifest_env(rows, task="grounding", suffix=".jsonl", image_size=80).rows("train"))
    assert (row.sample.image.width, row.sample.image.height) == (80, 60)
    assert row.sample.target.boxes[0].xyxy == (4, 6, 40, 50)
    assert row.sample.image.spacing_mm == (0.1, 0.2)
    square = next(manifest_env(rows, task="grounding", suffix=".jsonl", image_size=[80, 30]).rows("train"))
    assert square.sample.target.boxes[0].xyxy == (4, 3, 40, 25)


def test_source_survives_pickling(manifest_env):
    env = manifest_env()
    again = pickle.loads(pickle.dumps(env))
    assert [row.image_png for row in again.rows("train")] == [row.image_png for row in env.rows("train")]
    assert isinstance(again.spec, EnvSpec)


def test_lazy(manifest_env, images):
    """Later images are not opened for the first row."""
    env = manifest_env()
    (images / "b.png").write_bytes(b"damaged")
    rows = env.rows("train")
    assert np.frombuffer(next(rows).image_png[:4], dtype=np.uint8)[1] == ord("P")
    with pytest.raises(EnvError, match=r"row 3, column file: .*b.png is not an image"):
        next(rows)


def test_a_patient_is_no_id(manifest_env):
    with pytest.raises(EnvError, match="row 2, column patient: the id is the patient's") as caught:
        manifest_env(source={"columns": {"id": "patient"}})
    assert "Ann" not in str(caught.value)


def test_xywh_in_a_column_called_boxes(manifest_env):
    rows = [{"path": "a.png", "boxes": [[2, 3, 18, 22]], "split": split} for split in ("test", "train")]
    rows[1]["path"] = "b.png"
    env = manifest_env(rows, task="grounding", suffix=".jsonl", source={"columns": {"boxes_xywh": "boxes"}})
    assert next(env.rows("train")).sample.target.boxes[0].xyxy == (2, 3, 20, 25)
    assert env.splits == ("train", "test")
