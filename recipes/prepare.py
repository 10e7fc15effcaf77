"""`python -m medrft.recipes.prepare JOB.json`: the start checkpoint, and whether every prompt fits it.

A process of its own, since it imports torch and transformers; the launcher stays light.
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from .cpu.torchvision import declare_missing_operators
from .rows import Row, read_rows
from .tiny import TinyModel, build_tiny_qwen3_vl

TOKENIZER_ROWS = 500
SAY_EVERY = 1000
REFUSED = "error: "  # in front of a sentence that is the recipe's fault


class PrepareJob(BaseModel):
    """What the launcher hands to the worker."""

    model_config = ConfigDict(extra="forbid")

    model: TinyModel | None  # None: `path` holds a checkpoint already
    path: str
    splits: dict[str, Path]
    max_prompt_tokens: int
    max_response_tokens: int
    seed: int


def main(job: PrepareJob) -> None:
    declare_missing_operators()
    if job.model is not None and not Path(job.path).exists():
        rows = chain.from_iterable(read_rows(file, TOKENIZER_ROWS) for file in job.splits.values())
        texts = [text for row in rows for text in (*(m["content"] for m in row.prompt), row.demonstration)]
        partial = Path(f"{job.path}.partial")
        build_tiny_qwen3_vl(partial, job.model, texts, seed=job.seed)
        partial.rename(job.path)
    _check_lengths(job)


def _check_lengths(job: PrepareJob) -> None:
    """verl drops or refuses rows that are too long, in the middle of a run: refuse here, and name the row."""
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(job.path)
    if getattr(processor, "image_processor", None) is None:
        raise SystemExit(
            f"{REFUSED}the checkpoint {job.path} has no image processor, so it is no vision-language model"
        )
    seen: dict[tuple[str, tuple[int, int]], int] = {}
    answers: dict[str, int] = {}
    for split, file in job.splits.items():
        for index, row in enumerate(read_rows(file)):
            if index % SAY_EVERY == 0:
                print(f"checking {split}: row {index}", flush=True)  # the log grows: the watchdog sees progress
            key = (str(row.prompt), row.size)
            if key not in seen:
                seen[key] = _prompt_tokens(processor, row)
            if seen[key] > job.max_prompt_tokens:
                raise SystemExit(
                    f"{REFUSED}row {index} of split '{split}' has a prompt of {seen[key]} tokens (image tokens "
                    f"included), but max_prompt_tokens is {job.max_prompt_tokens}; raise it in the recipe, "
                    "or make the images smaller"
                )
            if row.demonstration not in answers:
                answers[row.demonstration] = len(processor.tokenizer(row.demonstration).input_ids) + 1
            if answers[row.demonstration] > job.max_response_tokens:
                raise SystemExit(
                    f"{REFUSED}row {index} of split '{split}' has a gold response of "
                    f"{answers[row.demonstration]} tokens, but max_response_tokens is {job.max_response_tokens}; "
                    "raise it in the recipe"
                )


def _prompt_tokens(processor: Any, row: Row) -> int:
    prompt = processor.apply_chat_template(row.messages, add_generation_prompt=True, tokenize=False)
    return len(processor(text=[prompt], images=[row.image])["input_ids"][0])


if __name__ == "__main__":
    main(PrepareJob.model_validate_json(Path(sys.argv[1]).read_text()))
