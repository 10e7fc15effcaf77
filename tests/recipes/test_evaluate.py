"""The figures of a run, from canned answers to images that were really built; only vLLM is not asked."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medrft.envs import build, get_env
from medrft.recipes import evaluate, processes
from medrft.recipes.display import Display
from medrft.recipes.errors import RecipeError, RunError
from medrft.recipes.eval_worker import EvalJob
from medrft.recipes.evaluate import BLANK, evaluate_checkpoint, evaluate_run, figures, find_checkpoint, paired_gain
from medrft.recipes.rows import Row, read_rows
from medrft.recipes.run_folder import RunFolder
from medrft.recipes.schema import Recipe
from rich.console import Console

N = 24
SOURCE = {"n": {"train": 32, "val": 4, "test": N}, "weights": {"none": 1, "cyst": 1, "benign": 1, "malignant": 4}}
ENV = {"id": "phantom-classify@1", "overrides": {"answer_format": "answer", "source": SOURCE}}
STAGES = [
    {"name": "warmup", "kind": "sft", "steps": 2, "batch_size": 4},
    {"name": "rft", "kind": "rft", "init": "warmup", "steps": 2, "prompts": 4},
    {"name": "control", "kind": "sft", "init": "warmup", "steps": 2, "batch_size": 4},
]
EVAL = {"before": "warmup", "after": "rft", "compare": ["control"], "resamples": 1000}

Answer = Callable[[int, Row], str]


def right(_: int, row: Row) -> str:
    return row.demonstration


def wrong(_: int, row: Row) -> str:
    """A class, but not the one."""
    others = [choice for choice in row.sample.choices if choice != row.sample.target.value]
    return f"<answer>{others[0]}</answer>"


def constant(text: str) -> Answer:
    return lambda index, row: text


def first(count: int) -> Answer:
    """Right on the first images, wrong on the others."""
    return lambda index, row: (right if index < count else wrong)(index, row)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built") / "data"
    build(get_env(ENV["id"], ENV["overrides"]), out)
    return out


@pytest.fixture
def vllm(monkeypatch) -> dict[str, Any]:
    """What each variant answers, by name; `calls` counts how often vLLM would have been started."""
    table: dict[str, Any] = {"calls": 0, "jobs": []}

    def run(argv, *, what, log, folder, env, **_: Any) -> None:
        assert argv[1:3] == ["-m", "medrft.recipes.eval_worker"]
        job = EvalJob.model_validate_json(Path(argv[-1]).read_text())
        table["calls"] += 1
        table["jobs"].append(job)
        for variant in job.variants:
            lines = []
            for index, row in enumerate(read_rows(job.data, job.limit)):
                text = table[variant.name](index, row)
                answer = {"id": row.sample.id, "response": text, "tokens": 4, "finish_reason": "stop"}
                # Not as ASCII: whoever writes these files may well not escape.
                lines.append(json.dumps(answer, ensure_ascii=False) + "\n")
            (job.out / f"{variant.name}.jsonl").write_text("".join(lines), encoding="utf-8")

    monkeypatch.setattr(processes, "run", run)
    return table


@pytest.fixture
def run(recipe, data, tmp_path) -> Callable[..., RunFolder]:
    def make(**keys: Any) -> RunFolder:
        folder = RunFolder(tmp_path / "run", recipe(env=ENV, **{"stages": STAGES, "eval": EVAL, **keys}))
        folder.path.mkdir(exist_ok=True)
        folder.data.symlink_to(data)
        return folder

    return make


def display() -> Display:
    return Display(Console(file=io.StringIO()))


def majority(data: Path) -> tuple[str, float]:
    (label, count), *_ = Counter(row.sample.target.value for row in read_rows(data / "test.parquet")).most_common()
    return label, count / N


def test_a_whole_evaluation_by_hand(run, vllm, data):
    label, share = majority(data)
    assert 0.3 < share < 0.9, "a majority that is neither all nor chance"
    vllm |= {
        "warmup": first(9),
        "rft": right,
        "control": first(12),
        "rft" + BLANK: constant(f"<answer>{label}</answer>"),
    }
    folder = run()
    results = evaluate_run(folder, display(), processes.Memory())
    variants = results["variants"]
    assert list(variants) == ["warmup", "rft", "control", "rft" + BLANK]
    assert variants["rft"]["accuracy"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert variants["rft"]["reward"]["mean"] == pytest.approx(1.0)
    assert variants["warmup"]["accuracy"]["mean"] == pytest.approx(9 / N)
    assert variants["warmup"]["reward"]["mean"] == pytest.approx((9 * 1.0 + 15 * 0.1) / N)
    assert variants["rft" + BLANK]["accuracy"]["mean"] == pytest.approx(share), "a constant answer earns the majority"
    assert results["majority"] == {"label": label, "share": share}
    assert results["gain"]["accuracy"]["mean"] == pytest.approx(15 / N)
    assert results["gain"]["reward"]["mean"] == pytest.approx(15 * 0.9 / N)
    assert 0 < results["gain"]["accuracy"]["low"] < 15 / N < results["gain"]["accuracy"]["high"] < 1
    assert results["compare_gain"]["control"]["mean"] == pytest.approx(3 / N)
    assert {(each["n"], each["grader_failed"], each["malformed"]) for each in variants.values()} == {(N, 0, 0.0)}
    assert (results["split"], results["n"]) == ("test", N)

    (job,) = vllm["jobs"]
    assert {variant.name: (Path(variant.model), variant.blank) for variant in job.variants} == {
        "warmup": (folder.final("warmup"), False),
        "rft": (folder.final("rft"), False),
        "control": (folder.final("control"), False),
        "rft" + BLANK: (folder.final("rft"), True),
    }
    assert job.max_model_len == 64 + 8
    assert json.loads((folder.eval / "results.json").read_text()) == results


def test_the_test_split_is_touched_once(run, vllm):
    vllm |= {"warmup": first(3), "rft": right, "control": wrong, "rft" + BLANK: wrong}
    folder = run()
    results = evaluate_run(folder, display(), processes.Memory())
    vllm |= {"warmup": wrong, "rft": wrong}
    assert evaluate_run(folder, display(), processes.Memory()) == results
    assert vllm["calls"] == 1


def test_every_prediction_is_written_with_its_score(run, vllm, data):
    vllm |= {"warmup": constant("no tags at all"), "rft": right}
    folder = run(eval={**EVAL, "compare": [], "blank": False, "limit": 10})
    results = evaluate_run(folder, display(), processes.Memory())
    assert results["n"] == 10
    assert results["variants"]["warmup"]["malformed"] == 1.0
    assert results["variants"]["warmup"]["reward"]["mean"] == 0.0
    lines = (folder.eval / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["variant"] for row in rows] == ["warmup"] * 10 + ["rft"] * 10
    built = list(read_rows(data / "test.parquet", 10))
    for row, made in zip(rows[10:], built, strict=True):
        assert row["id"] == made.sample.id
        assert row["target"] == made.sample.target.value
        assert (row["response"], row["correct"], row["reward"]) == (made.demonstration, 1.0, pytest.approx(1.0))
        assert row["components"] == {"accuracy": 1.0, "format": 1.0}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\n", "\r", "\r\n", "\0"])
def test_a_response_may_hold_what_some_take_for_the_end_of_a_line(run, vllm, separator):
    said = f"one{separator}two"
    vllm |= {"warmup": constant(said), "rft": first(N // 2)}
    folder = run(eval={**EVAL, "compare": [], "blank": False})
    results = evaluate_run(folder, display(), processes.Memory())
    assert results["n"] == N
    assert results["variants"]["rft"]["accuracy"]["mean"] == 0.5
    rows = [json.loads(line) for line in (folder.eval / "predictions.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert {row["response"] for row in rows if row["variant"] == "warmup"} == {said}


BROKEN = '''
from medrft.rewards import Response, Sample, Score, reward

@reward("broken_{name}", version=1, range=(0.0, 1.0))
def broken(response: Response, sample: Sample) -> Score:
    """Fails where it is told to."""
    if {condition}:
        raise RuntimeError("no judge here")
    return Score(value=0.5)
'''


def broken(folder: Path, name: str, condition: str) -> dict[str, Any]:
    file = folder / f"{name}.py"
    file.write_text(BROKEN.format(name=name, condition=condition))
    return {"terms": [{"reward": f"{file}:broken", "weight": 1.0}]}


def test_a_grader_that_always_fails_is_no_result(run, vllm, tmp_path):
    vllm |= {"warmup": right, "rft": right}
    folder = run(eval={**EVAL, "compare": [], "blank": False}, reward=broken(tmp_path, "always", "True"))
    with pytest.raises(RunError, match="the reward failed on every answer, so there is nothing to report"):
        evaluate_run(folder, display(), processes.Memory())
    assert not (folder.eval / "results.json").exists()
    assert (folder.eval / "answers" / "rft.jsonl").exists(), "the answers are kept"


def test_a_failed_grading_is_counted_and_out_of_every_mean(run, vllm, tmp_path):
    """Half of the answers cannot be graded: the figures are those of the other half, and of pairs graded twice."""
    vllm |= {"warmup": first(N // 2), "rft": lambda index, row: "x" if index < 4 else right(index, row)}
    reward = broken(tmp_path, "some", 'response.text == "x"')
    folder = run(eval={**EVAL, "compare": [], "blank": False}, reward=reward)
    results = evaluate_run(folder, display(), processes.Memory())
    assert results["variants"]["rft"]["n"] == N - 4
    assert results["variants"]["rft"]["grader_failed"] == 4
    assert results["variants"]["rft"]["accuracy"]["mean"] == 1.0
    assert results["variants"]["warmup"]["grader_failed"] == 0
    pairs = N - 4
    assert results["gain"]["accuracy"]["mean"] == pytest.approx(1 - (N // 2 - 4) / pairs)


def test_no_answer_graded_in_both_is_a_sentence_too(run, vllm, tmp_path):
    """Each side has its figures, but not one image a pair."""
    vllm |= {
        "warmup": lambda index, row: "x" if index % 2 else right(index, row),
        "rft": lambda index, row: right(index, row) if index % 2 else "x",
    }
    reward = broken(tmp_path, "alternating", 'response.text == "x"')
    folder = run(eval={**EVAL, "compare": [], "blank": False}, reward=reward)
    with pytest.raises(RunError, match="no image was graded both before and after"):
        evaluate_run(folder, display(), processes.Memory())


def row(group: str, correct: float, reward: float = 0.0, status: str = "scored") -> dict[str, Any]:
    return {"group": group, "correct": correct, "reward": reward, "status": status}


OPTIONS = {"resamples": 4000, "seed": 3}


def test_a_gain_s_interval_is_that_of_the_pairs():
    """Against a bootstrap written out here: whole patients drawn, their differences averaged."""
    rng = np.random.default_rng(0)
    groups = [f"p{number}" for number in rng.integers(0, 30, 120)]
    before = [row(group, float(rng.random() < 0.4)) for group in groups]
    after = [row(old["group"], max(old["correct"], float(rng.random() < 0.3))) for old in before]
    found = paired_gain(before, after, "correct", **OPTIONS)
    differences = np.array([new["correct"] - old["correct"] for old, new in zip(before, after, strict=True)])
    names = sorted(set(groups))
    sums = np.array([differences[[g == name for g in groups]].sum() for name in names])
    counts = np.array([groups.count(name) for name in names])
    drawn = rng.integers(0, len(names), (20_000, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    assert found["mean"] == pytest.approx(differences.mean())
    assert found["low"] == pytest.approx(low, abs=0.015)
    assert found["high"] == pytest.approx(high, abs=0.015)


def test_the_same_gain_everywhere_has_no_spread():
    before, after = [row(str(n), 0.0, n / 10) for n in range(5)], [row(str(n), 1.0, n / 10 + 0.25) for n in range(5)]
    gain = paired_gain(before, after, "reward", **OPTIONS)
    assert gain["low"] == pytest.approx(0.25)
    assert gain["high"] == pytest.approx(0.25)
    assert gain["mean"] == pytest.approx(0.25)


def test_figures_count_malformed_answers_among_the_graded():
    rows = [row("a", 1.0, 1.0), row("b", 0.0, 0.0, "malformed"), row("c", 0.0, 0.0, "failed"), row("d", 0.0, 0.1)]
    found = figures(rows, **OPTIONS)
    assert (found["n"], found["grader_failed"], found["malformed"]) == (3, 1, pytest.approx(1 / 3))
    assert found["accuracy"]["mean"] == pytest.approx(1 / 3)
    assert found["reward"]["mean"] == pytest.approx(1.1 / 3)


def huggingface(folder: Path, *, weights: bool = True, config: bool = True) -> Path:
    folder.mkdir(parents=True)
    if config:
        (folder / "config.json").write_text("{}")
    if weights:
        (folder / "model-00001-of-00002.safetensors").write_bytes(b"x")
    return folder


@pytest.mark.parametrize("inside", [".", "actor/huggingface", "huggingface"])
def test_a_checkpoint_is_found(tmp_path, inside):
    made = huggingface(tmp_path / "global_step_40" / inside)
    assert find_checkpoint(tmp_path / "global_step_40").resolve() == made.resolve()


@pytest.mark.parametrize("lacks", ["weights", "config", "folder"])
def test_no_checkpoint(tmp_path, lacks):
    if lacks != "folder":
        huggingface(tmp_path / "x", **{lacks: False})
    with pytest.raises(RecipeError, match=r"x is no checkpoint: expected .*/final$"):
        find_checkpoint(tmp_path / "x")


def test_one_checkpoint_on_a_split(recipe, vllm, tmp_path, monkeypatch):
    """`medrft eval`: a relative path works although the worker runs elsewhere, and no folder is written over."""
    monkeypatch.chdir(tmp_path)
    loaded: Recipe = recipe(env=ENV)
    huggingface(tmp_path / "step" / "actor" / "huggingface")
    vllm |= {"checkpoint": first(N // 4), "checkpoint" + BLANK: wrong}
    options: dict[str, Any] = {"split": "test", "limit": N // 2, "blank": True}
    results = evaluate_checkpoint(loaded, Path("step"), Path("out"), display(), **options)
    assert results["n"] == N // 2
    assert results["variants"]["checkpoint"]["accuracy"]["mean"] == 0.5
    assert results["variants"]["checkpoint" + BLANK]["accuracy"]["mean"] == 0.0
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    (job,) = vllm["jobs"]
    assert all(Path(variant.model).is_absolute() for variant in job.variants)
    assert job.data.is_absolute()
    assert evaluate_checkpoint(loaded, Path("step"), Path("out"), display(), **options) == results, "done already"
    with pytest.raises(RecipeError, match="out exists already"):
        evaluate_checkpoint(loaded, Path("step"), Path("out"), display(), **{**options, "limit": 1})
    with pytest.raises(RecipeError, match="split 'tset'"):
        evaluate_checkpoint(loaded, Path("step"), Path("other"), display(), **{**options, "split": "tset"})
    assert not (tmp_path / "other").exists()
    assert vllm["calls"] == 1


@pytest.mark.parametrize(
    ("env", "reward", "names"),
    [
        ("phantom-grade@1", "mfrs", {"0", "1", "2", "3", "4"}),
        ("phantom-ground@1", "grounding", {"<boxes>", "none"}),
    ],
)
def test_other_tasks_have_a_majority_too(recipe, tmp_path, vllm, env, reward, names):
    overrides = {"answer_format": "answer", "source": {"n": SOURCE["n"]}}
    loaded = recipe(env={"id": env, "overrides": overrides}, reward=reward, max_response_tokens=40)
    build(get_env(env, overrides), tmp_path / "data")
    file = tmp_path / "answers.jsonl"
    rows = list(read_rows(tmp_path / "data" / "test.parquet"))
    answer = {"tokens": 4, "finish_reason": "stop"}
    file.write_text("".join(json.dumps({"response": row.demonstration, **answer}) + "\n" for row in rows))
    scored = evaluate.score(loaded, tmp_path / "data" / "test.parquet", None, file)
    assert {each["target"] for each in scored} <= names
    assert len({each["target"] for each in scored}) > 1
    assert all(each["correct"] == 1.0 for each in scored)
    assert all(each["reward"] == pytest.approx(1.0, abs=0.05) for each in scored)
    assert len({each["group"] for each in scored}) == N


def test_answers_of_another_number_than_the_images(recipe, data, tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text('{"response": "x", "tokens": 1, "finish_reason": "stop"}\n' * (N - 1))
    with pytest.raises(ValueError, match="shorter"):
        evaluate.score(recipe(env=ENV), data / "test.parquet", None, file)
