"""`python -m medrft.recipes.sft JOB.json`: supervised fine-tuning on gold responses with the Hugging Face Trainer.

The loss is the cross-entropy of the response's tokens alone; the prompt and the image tokens are masked.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from .cpu.torchvision import declare_missing_operators
from .rows import Row, read_rows
from .schema import SFTStage

IGNORED = -100  # the label that cross-entropy leaves out
VALIDATE_EVERY = 5
VALIDATION_BATCH = 64


class SFTJob(BaseModel):
    """What the launcher hands to the worker."""

    model_config = ConfigDict(extra="forbid")

    stage: SFTStage
    model: str
    data: Path
    folder: Path
    seed: int
    bf16: bool
    metrics: Path


class Collator:
    """Rows -> one padded batch. Images go through the model's own processor."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.end = processor.tokenizer.eos_token

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        prompts = [
            self.processor.apply_chat_template(row.messages, add_generation_prompt=True, tokenize=False) for row in rows
        ]
        answers = [row.demonstration + self.end for row in rows]
        batch = self.processor(
            text=[prompt + answer for prompt, answer in zip(prompts, answers, strict=True)],
            images=[row.image for row in rows],
            return_tensors="pt",
            padding=True,
            padding_side="right",
        )
        labels = batch["input_ids"].clone()
        lengths = batch["attention_mask"].sum(1)
        for index, answer in enumerate(answers):
            # The answer's own tokens, counted from the end: the prompt's length depends on the image's.
            count = len(self.processor.tokenizer(answer, add_special_tokens=False).input_ids)
            labels[index, : lengths[index] - count] = IGNORED
            labels[index, lengths[index] :] = IGNORED
        batch["labels"] = labels
        return dict(batch)


def main(job: SFTJob) -> None:
    declare_missing_operators()
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainerCallback, TrainingArguments

    stage = job.stage
    torch.set_num_threads(os.cpu_count() or 1)
    processor = AutoProcessor.from_pretrained(job.model)
    model = AutoModelForImageTextToText.from_pretrained(
        job.model, dtype=torch.bfloat16 if job.bf16 else torch.float32, attn_implementation="sdpa"
    )
    rows = list(read_rows(job.data / f"{stage.split}.parquet", stage.limit))
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    micro = stage.micro_batch_size or max(1, stage.batch_size // ranks)
    if stage.batch_size % (micro * ranks):
        raise SystemExit(
            f"error: batch_size {stage.batch_size} is not a multiple of micro_batch_size {micro} on {ranks} devices"
        )

    collator = Collator(processor)
    validation = list(read_rows(job.data / "val.parquet")) if stage.stop_at_accuracy else []

    class _Steps(TrainerCallback):  # type: ignore[misc]
        """metrics.jsonl, one line a step, as the RFT stages write it; and the end at the wanted accuracy."""

        accuracy: float | None = None

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if stage.stop_at_accuracy and state.global_step % VALIDATE_EVERY == 0:
                self.accuracy = greedy_accuracy(model, collator, validation)
                control.should_training_stop |= self.accuracy >= stage.stop_at_accuracy

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
            if state.is_world_process_zero and logs and "loss" in logs:
                data = {"sft/loss": logs["loss"]}
                if self.accuracy is not None:
                    data["sft/val_accuracy"], self.accuracy = self.accuracy, None
                with job.metrics.open("a") as file:
                    file.write(json.dumps({"step": state.global_step, "data": data}) + "\n")

    checkpoints = job.folder / "checkpoints"
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(checkpoints),
            max_steps=stage.steps,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=stage.batch_size // (micro * ranks),
            learning_rate=stage.lr,
            lr_scheduler_type=stage.lr_schedule,
            warmup_steps=stage.lr_warmup_steps,
            weight_decay=stage.weight_decay,
            adam_beta2=0.98,  # as in the RFT stages: tens of steps, not tens of thousands
            max_grad_norm=1.0,
            logging_steps=1,
            logging_first_step=True,
            save_steps=stage.save_every,
            save_total_limit=2,
            seed=job.seed,
            bf16=job.bf16,
            use_cpu=not torch.cuda.is_available(),
            remove_unused_columns=False,
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=_Rows(rows),
        data_collator=collator,
        callbacks=[_Steps()],
    )
    trainer.train(resume_from_checkpoint=last_whole_checkpoint(checkpoints))
    # Beside its final name first: a folder of that name is complete.
    partial, final = job.folder / "final.partial", job.folder / "final"
    trainer.save_model(str(partial))
    if trainer.is_world_process_zero():
        processor.save_pretrained(partial)
        processor.tokenizer.save_pretrained(partial)
        shutil.rmtree(final, ignore_errors=True)  # there if an earlier attempt was killed right after this line
        partial.rename(final)


def greedy_accuracy(model: Any, collator: Collator, rows: list[Row]) -> float:
    """Share of rows whose gold response is what greedy decoding gives.

    One forward pass over the gold response tells it without decoding: greedy decoding gives the gold response exactly
    if every one of its tokens is the likeliest after those before it.
    """
    import torch

    was_training = model.training
    model.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(rows), VALIDATION_BATCH):
            batch = {
                key: value.to(model.device) for key, value in collator(rows[start : start + VALIDATION_BATCH]).items()
            }
            labels = batch.pop("labels")[:, 1:]
            predicted = model(**batch).logits[:, :-1].argmax(-1)
            right += int(((predicted == labels) | (labels == IGNORED)).all(1).sum())
    model.train(was_training)
    return right / len(rows)


def last_whole_checkpoint(checkpoints: Path) -> str | None:
    """The newest checkpoint to go on from, None for none. The Trainer writes a checkpoint in place and its
    `trainer_state.json` last: without it, a kill came in between, and the Trainer would fail on it at every start."""
    whole = {}
    for state in checkpoints.glob("checkpoint-*/trainer_state.json"):
        with contextlib.suppress(ValueError, OSError):
            whole[int(json.loads(state.read_text())["global_step"])] = state.parent
    return str(whole[max(whole)]) if whole else None


class _Rows:
    """A map-style dataset, which is all that the Trainer asks for."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        return self._rows[index]


if __name__ == "__main__":
    main(SFTJob.model_validate_json(Path(sys.argv[1]).read_text()))
