"""The graders against cases with known values, and against anything at all."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from medrft.rewards import (
    AnswerFormat,
    Box,
    Boxes,
    Frame,
    Grade,
    ImageFacts,
    Label,
    Response,
    Sample,
    Score,
    Status,
    compose,
    correct,
    get,
)
from pydantic import TypeAdapter

TARGET: TypeAdapter[Label | Grade] = TypeAdapter(Label | Grade)


def grade(reward: str, answer: str, sample: Sample, params: dict[str, Any] | None = None) -> Score:
    spec = {"terms": [{"reward": reward, "weight": 1.0, "name": "it", "params": params or {}}]}
    return compose(spec).score(Response(text=f"<answer>{answer}</answer>"), sample).components["it"]


def check(score: Score, case: dict[str, Any]) -> None:
    assert (score.status, score.reason) == (case["status"], case["reason"])
    assert score.value == pytest.approx(case["value"], abs=1e-12)


@pytest.mark.cases("accuracy")
def test_accuracy(case: dict[str, Any], make_sample: Any) -> None:
    target = TARGET.validate_python(case["target"])
    sample = make_sample(target, choices=tuple(case["choices"]), aliases=case["aliases"])
    check(grade("accuracy@1", case["answer"], sample), case)


@pytest.mark.cases("ordinal")
def test_ordinal(case: dict[str, Any], make_sample: Any) -> None:
    sample = make_sample(TARGET.validate_python(case["target"]))
    check(grade("ordinal@1", case["answer"], sample, case["params"]), case)


@pytest.mark.cases("box_iou")
def test_box_iou(case: dict[str, Any], make_sample: Any) -> None:
    (width, height), model = case["size"], case["model"] or [None, None]
    image = ImageFacts(width=width, height=height, frame=case["frame"], model_width=model[0], model_height=model[1])
    boxes = Boxes(boxes=tuple(Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in case["targets"]))
    check(grade("box_iou@1", case["answer"], make_sample(boxes, image=image), case["params"]), case)


@pytest.mark.cases("parser")
def test_format_pays_exactly_the_well_formed(case: dict[str, Any], make_sample: Any) -> None:
    sample = make_sample(Label(value="B"), answer_format=AnswerFormat(case["format"]))
    score = get("format@1").bind()(Response(text=case["text"]), sample)
    assert (score.value, score.reason) == (0.0 if case["reason"] else 1.0, case["reason"])


# Worked by hand: 0.9 r + 0.1 format with r = 1, 1/4, 1/16, 0.
@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("<think>t</think>\\boxed{1}", 1.0),
        ("<think>t</think>\\boxed{2}", 0.325),
        ("<think>t</think>\\boxed{0}", 0.325),
        ("<think>t</think>\\boxed{3}", 0.15625),
        ("<think>t</think>\\boxed{4}", 0.1),
        ("\\boxed{1}", 0.9),
        ("\\boxed{2}", 0.225),
        ("\\boxed{3}", 0.05625),
        ("\\boxed{4}", 0.0),
        ("<think>t</think>\\boxed{}", 0.0),
    ],
)
def test_mfrs_equals_the_numbers_of_the_paper(text: str, total: float, make_sample: Any) -> None:
    sample = make_sample(Grade(value=1, levels=5), answer_format=AnswerFormat.THINK_BOXED)
    assert abs(compose("mfrs").score(Response(text=text), sample).value - total) < 1e-9


@pytest.mark.parametrize(
    ("text", "total"),
    [("<answer>benign</answer>", 1.0), ("ok <answer>benign</answer>", 0.9), ("<answer>x</answer>", 0.1)],
)
def test_v_rft_equals_the_numbers_of_the_paper(text: str, total: float, make_sample: Any) -> None:
    sample = make_sample(Label(value="benign"), choices=("benign", "malignant"))
    assert abs(compose("v_rft").score(Response(text=text), sample).value - total) < 1e-9


@pytest.mark.parametrize(
    ("answer", "value"), [("[10,10,30,20]", 1.0), ("[10,10,30,19]", 0.0), ("none", 0.0), ("x", 0.0)]
)
def test_correct_asks_half_overlap_of_a_box(answer: str, value: float, make_sample: Any) -> None:
    sample = make_sample(
        Boxes(boxes=(Box(x0=10, y0=10, x1=30, y1=30),)), image=ImageFacts(width=100, height=100, frame=Frame.PIXEL)
    )
    assert correct(Response(text=f"<answer>{answer}</answer>"), sample).value == value


coordinates = st.integers(0, 1000)
ordered = st.tuples(coordinates, coordinates, coordinates, coordinates).filter(lambda b: b[0] < b[2] and b[1] < b[3])


@given(ordered, ordered, st.sampled_from([(1000, 1000), (640, 480), (37, 911)]))
def test_iou_agrees_with_shapely(a: tuple[int, ...], b: tuple[int, ...], size: tuple[int, int]) -> None:
    shapely = pytest.importorskip("shapely")
    fx, fy = size[0] / 1000, size[1] / 1000
    # Both in pixels, as the reward compares them; the answer itself is written per mille.
    p, q = (shapely.box(x0 * fx, y0 * fy, x1 * fx, y1 * fy) for x0, y0, x1, y1 in (a, b))
    target = Box(x0=b[0] * fx, y0=b[1] * fy, x1=b[2] * fx, y1=b[3] * fy)
    sample = Sample(
        id="s",
        task="grounding",
        target=Boxes(boxes=(target,)),
        answer_format=AnswerFormat.ANSWER,
        image=ImageFacts(width=size[0], height=size[1], frame=Frame.PER_MILLE),
    )
    score = grade("box_iou@1", str(list(a)), sample)
    assert score.status is Status.SCORED
    assert score.value == pytest.approx(p.intersection(q).area / p.union(q).area, abs=1e-9)


IMAGE = ImageFacts(width=64, height=48)
SAMPLES = [
    Sample(
        id="l",
        task="classification",
        target=Label(value="a b"),
        choices=("a b", "c"),
        aliases={"c": ("b",)},
        image=IMAGE,
    ),
    Sample(id="g", task="grading", target=Grade(value=3, levels=5), image=IMAGE),
    Sample(id="b", task="grounding", target=Boxes(boxes=(Box(x0=1, y0=1, x1=9, y1=9),)), image=IMAGE),
    Sample(id="n", task="grounding", target=Boxes(), image=IMAGE),
]
answers = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(["a", "b", "c", "a b", ",", " or ", "3", "-", "none", "[", "]", "[1,2,30,40]", "."])).map(
        "".join
    ),
    st.lists(st.floats(width=32)).map(str),
    st.integers().map(str),
)
ALL = {
    "terms": [
        {"reward": name, "weight": weight}
        for name, weight in (("accuracy", 0.5), ("ordinal", 0.7), ("box_iou", -0.2), ("format", 0.1))
    ]
}


@given(answers, st.sampled_from(SAMPLES), st.sampled_from(list(AnswerFormat)), st.booleans())
def test_any_response_gets_a_finite_value_in_range(answer: str, sample: Sample, fmt: AnswerFormat, wrap: bool) -> None:
    text = f"<think>t</think><answer>{answer}</answer>\\boxed{{{answer}}}" if wrap else answer
    composed = compose(ALL)
    total = composed.score(Response(text=text), sample.model_copy(update={"answer_format": fmt}))
    assert total.status is not Status.FAILED, total.components
    assert math.isfinite(total.value)
    assert composed.range[0] <= total.value <= composed.range[1]
    assert tuple(total.components) == composed.component_names


@pytest.mark.parametrize("unit", ["a ", "b,", "\u0301\u0316", "\ufdfa", "[", "1,", "9", "((", "a.b "])
def test_a_hostile_answer_is_graded_in_time(unit: str) -> None:
    response = Response(text=f"<answer>{unit * (100_000 // len(unit))}</answer>")
    for sample in SAMPLES:
        start = time.process_time()
        total = compose(ALL).score(response, sample)
        assert time.process_time() - start < 1.0
        assert total.status is Status.MALFORMED or total.value <= 0.1
