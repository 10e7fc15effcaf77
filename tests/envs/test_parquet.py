"""verl's own dataset reads what we write."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
from types import SimpleNamespace

import pytest
from medrft.envs import build, get_env
from PIL import Image

VERL = importlib.util.find_spec("verl") is not None


@pytest.mark.skipif(not VERL, reason="verl is not installed")
@pytest.mark.parametrize("env_id", ["phantom-classify@1", "phantom-grade@1", "phantom-ground@1"])
def test_verl_reads_the_build(env_id, tmp_path, monkeypatch):
    importlib.import_module("medrft.recipes.cpu.torchvision").declare_missing_operators()
    datasets = importlib.import_module("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rl_dataset = importlib.import_module("verl.utils.dataset.rl_dataset")
    omegaconf = importlib.import_module("omegaconf")
    env = get_env(env_id, {"source": {"n": {"train": 40}}, "system": "Look well."})
    build(env, tmp_path / "data", splits=["train"])
    config = omegaconf.OmegaConf.create({"filter_overlong_prompts": False})
    processor = SimpleNamespace(image_processor=SimpleNamespace(patch_size=16))
    data = rl_dataset.RLHFDataset(str(tmp_path / "data" / "train.parquet"), None, config, processor)
    assert len(data) == 40
    for number, row in enumerate(env.rows("train")):
        item = data[number]
        assert (item["index"], item["data_source"]) == (number, env_id)
        system, user = item["raw_prompt"]
        assert system["content"] == [{"type": "text", "text": "Look well."}]
        image, text = user["content"]
        assert image["type"] == "image"
        assert image["image"].tobytes() == Image.open(io.BytesIO(row.image_png)).tobytes()
        assert text == {"type": "text", "text": row.messages[1]["content"].removeprefix("<image>")}
        assert json.loads(item["reward_model"]["ground_truth"])["id"] == item["extra_info"]["id"]
        assert item["extra_info"]["demonstration"] == row.demonstration
    assert rl_dataset.collate_fn([data[0], data[1]])["dummy_tensor"].shape == (2, 1)
