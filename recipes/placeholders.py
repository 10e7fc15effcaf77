"""The image placeholder tokens, barred from what a policy says."""

from typing import Any

PLACEHOLDERS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
BARRED = -100.0  # the lowest bias vLLM takes


def placeholder_bias(tokenizer: Any) -> dict[int, float]:
    """`logit_bias` that keeps a policy from emitting image placeholders.

    A response with one of them has one image token more than image features, and the next forward pass fails.
    """
    known = tokenizer.get_vocab()
    return {known[token]: BARRED for token in PLACEHOLDERS if token in known}
