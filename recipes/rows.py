"""The rows of a built split, as the workers read them: from the same Parquet files that verl reads."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
from medrft.rewards import Sample
from PIL import Image

COLUMNS = ["prompt", "images", "reward_model", "extra_info"]


@dataclass(frozen=True)
class Row:
    prompt: list[dict[str, Any]]
    png: bytes
    ground_truth: str
    demonstration: str

    @cached_property
    def sample(self) -> Sample:
        return Sample.model_validate_json(self.ground_truth)

    @property
    def image(self) -> Image.Image:
        return Image.open(io.BytesIO(self.png)).convert("RGB")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, without decoding the pixels."""
        return Image.open(io.BytesIO(self.png)).size

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The prompt with the `<image>` placeholder as the image part that chat templates expect."""
        messages = []
        for message in self.prompt:
            parts: list[dict[str, str]] = []
            for index, text in enumerate(message["content"].split("<image>")):
                parts += [{"type": "image"}] if index else []
                parts += [{"type": "text", "text": text}] if text else []
            messages.append({"role": message["role"], "content": parts})
        return messages


def read_rows(file: Path, limit: int | None = None) -> Iterator[Row]:
    """Rows in order, one row group in memory at a time."""
    left = limit if limit is not None else -1
    for batch in parquet.ParquetFile(file).iter_batches(batch_size=256, columns=COLUMNS):
        for record in batch.to_pylist():
            if left == 0:
                return
            left -= 1
            yield Row(
                prompt=record["prompt"],
                png=record["images"][0]["bytes"],
                ground_truth=record["reward_model"]["ground_truth"],
                demonstration=record["extra_info"]["demonstration"],
            )
