"""A tiny, randomly initialised Qwen3-VL with its own tokenizer and processor, built in seconds from nothing.

The classes are the released model's own, so that verl, vLLM and every later tool treat it as they treat the real one;
only the sizes differ. It stands in for a released checkpoint where none can be downloaded or none would fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from .cpu.torchvision import declare_missing_operators

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
HEAD_DIM = 32
MERGE = 2

CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] -%}
{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor -%}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


class TinyModel(BaseModel):
    """Sizes of the tiny Qwen3-VL. `hidden` widths are multiples of 32, the head dimension."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(default="tiny-qwen3-vl", pattern="^tiny-qwen3-vl$")
    image_size: int = Field(default=64, ge=32, le=448)
    patch_size: int = Field(default=8, ge=4, le=16)
    vision_hidden: int = Field(default=128, ge=32, multiple_of=HEAD_DIM)
    vision_depth: int = Field(default=4, ge=2)
    text_hidden: int = Field(default=128, ge=64, multiple_of=2 * HEAD_DIM)
    text_depth: int = Field(default=3, ge=1)
    vocabulary: int = Field(default=512, ge=300)


def build_tiny_qwen3_vl(out: Path, spec: TinyModel, texts: Iterable[str], *, seed: int = 0) -> Path:
    """Write a checkpoint folder (safetensors, tokenizer, processor, chat template).

    texts: what the tokenizer is trained on (prompts and answers); a word seen often becomes one token.
    """
    declare_missing_operators()
    import torch
    from transformers import GenerationConfig, Qwen3VLForConditionalGeneration

    tokenizer = _tokenizer(texts, spec.vocabulary)
    processor = _processor(tokenizer, spec)
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(_config(tokenizer, spec)).float()
    end, pad = (tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>"))
    model.generation_config = GenerationConfig(eos_token_id=[end, pad], pad_token_id=pad, bos_token_id=pad)
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def _tokenizer(texts: Iterable[str], vocabulary: int):  # type: ignore[no-untyped-def]
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2TokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    room = vocabulary - len(SPECIAL_TOKENS) - len(TAGS)
    trainer = trainers.BpeTrainer(vocab_size=room, min_frequency=2, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(["system", "user", "assistant", *texts], trainer)
    model = json.loads(bpe.to_str())["model"]
    tokenizer = Qwen2TokenizerFast(
        vocab=model["vocab"],
        merges=[tuple(merge) for merge in model["merges"]],
        unk_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS[1:])})
    # One token each, and not special: verl decodes responses with special tokens skipped, and a grader must see these.
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in TAGS])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _processor(tokenizer, spec: TinyModel):  # type: ignore[no-untyped-def]
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

    factor = spec.patch_size * MERGE
    kwargs = {
        "size": {"shortest_edge": factor * factor, "longest_edge": spec.image_size**2},
        "patch_size": spec.patch_size,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(**kwargs),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(**kwargs),
        chat_template=CHAT_TEMPLATE,
    )


def _config(tokenizer, spec: TinyModel):  # type: ignore[no-untyped-def]
    from transformers import Qwen3VLConfig

    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    ends = {
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    heads = spec.text_hidden // HEAD_DIM
    text = {
        "vocab_size": len(tokenizer),  # equal to the tokenizer's, or the policy could sample ids that decode to nothing
        "hidden_size": spec.text_hidden,
        "intermediate_size": 3 * spec.text_hidden,
        "num_hidden_layers": spec.text_depth,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [4, 6, 6],
            "rope_theta": 10000.0,
            "mrope_interleaved": True,
        },
        **ends,
    }
    vision = {
        "depth": spec.vision_depth,
        "hidden_size": spec.vision_hidden,
        "intermediate_size": 3 * spec.vision_hidden,
        "num_heads": spec.vision_hidden // HEAD_DIM,
        "out_hidden_size": spec.text_hidden,
        "patch_size": spec.patch_size,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "num_position_embeddings": (spec.image_size // spec.patch_size) ** 2,
        "deepstack_visual_indexes": [spec.vision_depth // 2 - 1],
        "in_channels": 3,
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
        **ends,
    )
