"""Greedy evaluation on held-out images: once, when training is over, all checkpoints on the same images.

Figures: accuracy (share of exactly right answers) and mean reward with 95 % bootstrap intervals over patients, the
paired gain, and beside them what tells a gain from an illusion: the majority class, blank images, the control stages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medrft.envs import EnvError, build
from medrft.rewards import Boxes, Grade, Label, Response, Sample, Status, compose, correct

from . import processes, verl_config
from .display import Display
from .errors import RecipeError, RunError
from .eval_worker import EvalJob, Variant
from .intervals import majority_share, mean_interval
from .preflight import check_installed, open_env
from .rows import read_rows
from .run_folder import RunFolder, write_atomic, write_json
from .schema import Recipe

BOXES = "<boxes>"  # the target of an image with something to find; no class is named so
BLANK = ".blank"  # no stage can be named so


def generate(
    recipe: Recipe,
    variants: Sequence[Variant],
    *,
    data: Path,
    limit: int | None,
    out: Path,
    owner: Path,
    display: Display,
    memory: processes.Memory,
) -> None:
    """Answers of all variants through vLLM, into `out/<variant>.jsonl`; those already there are kept."""
    out.mkdir(parents=True, exist_ok=True)
    job = EvalJob(
        variants=list(variants),
        data=data,
        limit=limit,
        out=out,
        max_tokens=recipe.max_response_tokens,
        max_model_len=recipe.max_prompt_tokens + recipe.max_response_tokens,
        seed=recipe.seed,
        cpu=recipe.profile == "cpu",
    )
    write_atomic(out / "job.json", job.model_dump_json(indent=2))

    def answered() -> int:
        return len(list(out.glob("*.jsonl")))

    what = f"greedy answers on split '{data.stem}' through vLLM, {len(variants)} sets"
    display.begin("eval", what, len(variants))
    processes.run(
        [sys.executable, "-m", "medrft.recipes.eval_worker", str(out / "job.json")],
        folder=owner,
        log=out / "log.txt",
        what="evaluation",
        env=verl_config.environment(recipe),
        progress=answered,
        start_seconds=recipe.timeouts.start,
        step_seconds=recipe.timeouts.start,
        memory=memory,
        tick=lambda: display.count(answered()),
    )


def score(recipe: Recipe, data: Path, limit: int | None, answers: Path) -> list[dict[str, Any]]:
    """Each answer with its score: id, group, target, response, correct, reward, components, status."""
    composed = compose(recipe.reward)
    scored = []
    lines = answers.read_text(encoding="utf-8").split("\n")[:-1]  # a response may hold other line separators
    for row, line in zip(read_rows(data, limit), lines, strict=True):
        answer = json.loads(line)
        response = Response(text=answer["response"], tokens=answer["tokens"], finish_reason=answer["finish_reason"])
        total = composed.score(response, row.sample)
        scored.append(
            {
                "id": row.sample.id,
                "group": str(row.sample.meta.get("group", row.sample.id)),
                "target": target_name(row.sample),
                "response": answer["response"],
                "correct": correct(response, row.sample).value,
                "reward": total.value,
                "status": total.status.value,
                "components": {name: part.value for name, part in total.components.items()},
            }
        )
    return scored


def target_name(sample: Sample) -> str:
    """The class a sample counts to in the majority figure."""
    target = sample.target
    if isinstance(target, Label):
        return target.value
    if isinstance(target, Grade):
        return str(target.value)
    assert isinstance(target, Boxes)
    return BOXES if target.boxes else "none"


def figures(scored: Sequence[dict[str, Any]], *, resamples: int, seed: int) -> dict[str, Any]:
    """What one variant achieved. Answers that the grader failed on are counted and left out of the means."""
    kept = [row for row in scored if row["status"] != Status.FAILED.value]
    if not kept:
        raise RunError("the reward failed on every answer, so there is nothing to report; the answers are kept")
    groups = [row["group"] for row in kept]
    accuracy = mean_interval([row["correct"] for row in kept], groups, resamples=resamples, seed=seed)
    reward = mean_interval([row["reward"] for row in kept], groups, resamples=resamples, seed=seed)
    return {
        "n": len(kept),
        "grader_failed": len(scored) - len(kept),
        "accuracy": accuracy.as_dict(),
        "reward": reward.as_dict(),
        "malformed": sum(row["status"] == Status.MALFORMED.value for row in kept) / len(kept),
    }


def paired_gain(
    before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], key: str, *, resamples: int, seed: int
) -> dict[str, float]:
    """Mean of `after - before` on the same images, with its paired interval.

    Raises:
        RunError: no image was graded on both sides.
    """
    pairs = [
        (old, new)
        for old, new in zip(before, after, strict=True)
        if Status.FAILED.value not in (old["status"], new["status"])
    ]
    if not pairs:
        raise RunError("no image was graded both before and after, so there is no gain to report; the answers are kept")
    differences = [new[key] - old[key] for old, new in pairs]
    groups = [old["group"] for old, _ in pairs]
    return mean_interval(differences, groups, resamples=resamples, seed=seed).as_dict()


def find_checkpoint(path: Path) -> Path:
    """The Hugging Face folder behind a path: itself, or inside a verl checkpoint (`global_step_N`).

    Raises:
        RecipeError: there is none.
    """
    for folder in (path, path / "actor" / "huggingface", path / "huggingface"):
        if (folder / "config.json").is_file() and list(folder.glob("*.safetensors")):
            return folder
    raise RecipeError(
        f"{path} is no checkpoint: expected a Hugging Face folder (config.json, *.safetensors) or verl's "
        "global_step_N. A run's own are RUN/stages/NN-name/final"
    )


def evaluate_checkpoint(
    recipe: Recipe, checkpoint: Path, out: Path, display: Display, *, split: str, limit: int | None, blank: bool
) -> dict[str, Any]:
    """One checkpoint on a split of a recipe's env, into `out`; started again after a stop, it goes on there.

    Raises:
        RecipeError: bad input, or a folder of something else; nothing is left.
        RunError: vLLM did not end well; answers that are there are kept.
    """
    check_installed(recipe)
    model = find_checkpoint(checkpoint)
    env = open_env(recipe, splits=[split])
    identity = {
        "checkpoint": str(model.resolve()),
        "recipe": recipe.model_dump(mode="json"),
        "split": split,
        "limit": limit,
        "blank": blank,
    }
    claim = out / "eval.json"
    if out.exists() and not (claim.exists() and json.loads(claim.read_text()) == identity):
        raise RecipeError(f"{out} exists already and holds something else. Give another folder with --out")
    if (out / "results.json").exists():
        return dict(json.loads((out / "results.json").read_text()))
    if not (out / "data").exists():
        try:
            build(env, out / "data", splits=[split])
        except EnvError as error:
            if out.exists() and not any(out.iterdir()):
                out.rmdir()
            raise RecipeError(str(error)) from None
    write_json(claim, identity)
    variants = [Variant(name="checkpoint", model=str(model.absolute()))]
    if blank:
        variants.append(Variant(name="checkpoint" + BLANK, model=variants[0].model, blank=True))
    data, memory = out.absolute() / "data" / f"{split}.parquet", processes.Memory()
    answers = out.absolute() / "answers"
    with processes.signals_as_interrupts():
        generate(
            recipe,
            variants,
            data=data,
            limit=limit,
            out=answers,
            owner=out.absolute(),
            display=display,
            memory=memory,
        )
    options = {"resamples": 5000, "seed": recipe.seed}
    scored = {v.name: score(recipe, data, limit, answers / f"{v.name}.jsonl") for v in variants}
    results = {
        "checkpoint": str(checkpoint),
        "env": recipe.env.id,
        "split": split,
        "n": len(scored["checkpoint"]),
        "variants": {name: figures(rows, **options) for name, rows in scored.items()},
        "majority": _majority(scored["checkpoint"]),
    }
    _write(out, results, scored)
    return results


def evaluate_run(run: RunFolder, display: Display, memory: processes.Memory) -> dict[str, Any]:
    """The evaluation of a recipe; writes `eval/`. What stands there is kept: the test split is touched once."""
    recipe = run.recipe
    spec = recipe.eval
    assert spec is not None
    if (run.eval / "results.json").exists():
        return dict(json.loads((run.eval / "results.json").read_text()))
    stages = list(dict.fromkeys((spec.before, spec.after, *spec.compare)))
    variants = [Variant(name=name, model=str(run.final(name))) for name in stages]
    if spec.blank:
        variants.append(Variant(name=spec.after + BLANK, model=str(run.final(spec.after)), blank=True))
    data = run.data / f"{spec.split}.parquet"
    answers = run.eval / "answers"
    generate(
        recipe,
        variants,
        data=data,
        limit=spec.limit,
        out=answers,
        owner=run.path,
        display=display,
        memory=memory,
    )
    scored = {v.name: score(recipe, data, spec.limit, answers / f"{v.name}.jsonl") for v in variants}
    options = {"resamples": spec.resamples, "seed": recipe.seed}
    results = {
        "split": spec.split,
        "n": len(scored[spec.after]),
        "before": spec.before,
        "after": spec.after,
        "compare": list(spec.compare),
        "variants": {name: figures(rows, **options) for name, rows in scored.items()},
        "gain": {
            key: paired_gain(scored[spec.before], scored[spec.after], name, **options)
            for key, name in (("accuracy", "correct"), ("reward", "reward"))
        },
        "compare_gain": {
            other: paired_gain(scored[spec.before], scored[other], "correct", **options) for other in spec.compare
        },
        "majority": _majority(scored[spec.after]),
    }
    _write(run.eval, results, scored)
    return results


def _majority(scored: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a constant answer scores. No constant box is right, so for grounding it is the share of negatives."""
    targets = [row["target"] for row in scored]
    if BOXES in targets:
        return {"label": "none", "share": targets.count("none") / len(targets)}
    label, share = majority_share(targets)
    return {"label": label, "share": share}


def _write(folder: Path, results: dict[str, Any], scored: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    lines = [json.dumps({"variant": name, **row}) for name, rows in scored.items() for row in rows]
    write_atomic(folder / "predictions.jsonl", "\n".join(lines) + "\n")
    write_json(folder / "results.json", results)
