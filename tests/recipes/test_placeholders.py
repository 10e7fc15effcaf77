"""No policy emits an image placeholder: which tokens are barred, and that verl's agent loop passes the bar on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from medrft.recipes.cpu.torchvision import declare_missing_operators
from medrft.recipes.placeholders import BARRED, placeholder_bias
from medrft.recipes.tiny import TAGS, TinyModel, build_tiny_qwen3_vl

SPEC = TinyModel(image_size=32, vision_hidden=32, vision_depth=2, text_hidden=64, text_depth=1, vocabulary=400)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    pytest.importorskip("transformers")
    return build_tiny_qwen3_vl(tmp_path_factory.mktemp("tiny") / "model", SPEC, ["Which lesion: cyst or none?"] * 9)


def test_exactly_the_tokens_that_the_model_takes_for_images_and_video(tiny):
    from transformers import AutoConfig, AutoTokenizer

    tokenizer, config = AutoTokenizer.from_pretrained(tiny), AutoConfig.from_pretrained(tiny)
    bias = placeholder_bias(tokenizer)
    visual = {token for token in tokenizer.get_vocab() if "vision" in token or "image" in token or "video" in token}
    assert {tokenizer.convert_ids_to_tokens(number) for number in bias} == visual
    assert {
        config.image_token_id,
        config.video_token_id,
        config.vision_start_token_id,
        config.vision_end_token_id,
    } <= bias.keys(), "all that the model's own code looks for in the input"
    for text in (tokenizer.eos_token, tokenizer.pad_token, *TAGS, "cyst", "<|im_start|>"):
        assert not bias.keys() & set(tokenizer(text, add_special_tokens=False).input_ids), text
    assert set(bias.values()) == {BARRED}
    assert -100 <= BARRED <= 100, "what vLLM takes"


def test_a_tokenizer_without_them_bars_nothing():
    class Plain:
        unk_token_id = 0

        def get_vocab(self) -> dict[str, int]:
            return {"<unk>": 0, "cyst": 1}

    assert placeholder_bias(Plain()) == {}, "and above all not its unknown token"


def test_the_agent_loop_bars_them_and_leaves_the_rest(tiny, monkeypatch):
    pytest.importorskip("verl")
    declare_missing_operators()
    from medrft.recipes.agent_loop import SingleTurn
    from transformers import AutoTokenizer
    from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    seen = {}

    def base_init(self, *args, **kwargs) -> None:
        assert (args, kwargs) == (("trainer",), {"server": 1})
        self.tokenizer = tokenizer

    async def base_run(self, sampling_params, priority=0, **kwargs):
        seen.update(sampling_params=sampling_params, priority=priority, kwargs=kwargs)
        return "output"

    monkeypatch.setattr(SingleTurnAgentLoop, "__init__", base_init)
    monkeypatch.setattr(SingleTurnAgentLoop, "run", base_run)
    asked = {"temperature": 0.7, "logprobs": True}
    assert asyncio.run(SingleTurn("trainer", server=1).run(asked, 3, raw_prompt=["hi"])) == "output"
    bias = placeholder_bias(tokenizer)
    assert len(bias) == 5
    assert seen == {
        "sampling_params": {"temperature": 0.7, "logprobs": True, "logit_bias": bias},
        "priority": 3,
        "kwargs": {"raw_prompt": ["hi"]},
    }
    assert asked == {"temperature": 0.7, "logprobs": True}, "verl hands the same dict to every rollout"


def test_the_agent_loop_is_where_verl_looks_for_it():
    """The name in the profiles, in `agent_loop.yaml`, and the class itself are one."""
    pytest.importorskip("verl")
    declare_missing_operators()
    import importlib

    import medrft.recipes
    import yaml

    folder = Path(medrft.recipes.__file__).parent
    (entry,) = yaml.safe_load((folder / "agent_loop.yaml").read_text())
    base = yaml.safe_load((folder / "config" / "base.yaml").read_text())
    assert entry["name"] == base["actor_rollout_ref"]["rollout"]["agent"]["default_agent_loop"]
    module, _, name = entry["_target_"].rpartition(".")
    assert hasattr(importlib.import_module(module), name)
