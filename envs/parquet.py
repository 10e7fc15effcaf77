"""The Parquet layout that verl 0.9.1 reads (`verl/utils/dataset/rl_dataset.py`), written in constant memory.

    data_source   the env's id
    prompt        [{role, content}], exactly one `<image>` in all contents
    images        [{bytes, path}], one PNG
    ability       classification | grading | grounding
    reward_model  {style: "rule", ground_truth: the Sample as JSON}
    extra_info    {index, split, id, demonstration}

`ground_truth` is text because Parquet structs unify their fields: an absent key would come back as None.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .tasks import Row

GROUP_ROWS = 256  # rows a row group: what is held in memory

SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("images", pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct(
                [("index", pa.int64()), ("split", pa.string()), ("id", pa.string()), ("demonstration", pa.string())]
            ),
        ),
    ]
)


def to_cells(env_id: str, row: Row) -> dict[str, Any]:
    """A row as Parquet cells."""
    return {
        "data_source": env_id,
        "prompt": row.messages,
        "images": [{"bytes": row.image_png, "path": None}],
        "ability": row.sample.task,
        "reward_model": {"style": "rule", "ground_truth": row.sample.model_dump_json()},
        "extra_info": {"index": row.index, "split": row.split, "id": row.sample.id, "demonstration": row.demonstration},
    }


def write_parquet(path: Path, groups: Iterable[list[dict[str, Any]]]) -> int:
    """Write the groups as row groups; how many rows that was.

    The same cells give the same bytes with the same pyarrow.
    """
    count = 0
    # Through a Python file, so that a full disk is an OSError with its errno.
    with (
        path.open("wb") as stream,
        pq.ParquetWriter(stream, SCHEMA, compression="snappy", use_dictionary=False) as writer,
    ):
        for cells in groups:
            writer.write_table(pa.Table.from_pylist(cells, schema=SCHEMA))
            count += len(cells)
    return count
