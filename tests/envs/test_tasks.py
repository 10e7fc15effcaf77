"""Samples, prompts and gold responses: what the policy is told is what the grader checks."""

from __future__ import annotations

import importlib
import importlib.util
import itertools

import pytest
from medrft.envs import Env, EnvError, ProcessorSpec, get_env, smart_resize
from medrft.envs.tasks import answer_text
from medrft.rewards import AnswerFormat, Box, Boxes, Frame, ImageFacts, Response, Sample, compose, get, read_box

ENVS = ("phantom-classify@1", "phantom-grade@1", "phantom-ground@1")
REWARD = {"classification": "accuracy", "grading": "ordinal", "grounding": "box_iou"}


@pytest.mark.parametrize(
    ("env_id", "answer_format", "prompt"), list(itertools.product(ENVS, list(AnswerFormat), ["terse", "full"]))
)
def test_prompt_and_demonstration(env_id, answer_format, prompt):
    env = get_env(env_id, {"answer_format": answer_format.value, "prompt": prompt})
    for row in env.rows("val", 0, 6):
        text = "".join(message["content"] for message in row.messages)
        assert text.count("<image>") == 1
        assert text.startswith("<image>")
        assert ("boxed" in text) == answer_format.value.endswith("boxed")
        assert ("think" in text) == answer_format.value.startswith("think")
        for choice in row.sample.choices:
            assert choice in text
        if row.sample.task == "grounding":
            assert "1000" in text
            assert "none" in text
        reward = get(REWARD[row.sample.task]).bind()
        score = reward(Response(text=row.demonstration), row.sample)
        assert score.value == pytest.approx(1.0, abs=0.06), (row.demonstration, score)


def test_terse_prompts_are_short():
    for env_id in ENVS:
        row = next(get_env(env_id).rows("val"))
        assert len(row.messages[0]["content"].split()) <= 18


def test_think_lists_the_attributes():
    row = next(row for row in get_env("phantom-classify@1").rows("val") if row.sample.target.value == "malignant")
    think = row.demonstration.split("</think>")[0].lower()
    assert all(value in think for value in row.sample.attributes.values())
    assert "malignant" not in think


@pytest.mark.parametrize("frame", list(Frame))
def test_every_frame_reads_back(frame):
    more = {"processor": {"factor": 28, "min_pixels": 50176}} if frame is Frame.MODEL_PIXEL else {}
    env = get_env("phantom-ground@1", {"frame": frame.value, "source": {"weights": {"none": 0}}, **more})
    for row in env.rows("val", 0, 20):
        box, reason = read_box(answer_text(row.sample), row.sample.image)
        assert box is not None, reason
        back, target = row.sample.image.to_pixels(box), row.sample.target.boxes[0]
        assert back.xyxy == pytest.approx(target.xyxy, abs=0.15)
    width, height = row.sample.image.extent
    assert frame is Frame.UNIT or f"{width:g}" in row.messages[0]["content"]
    assert (frame is Frame.MODEL_PIXEL) == ((width, height) == (224, 224))


@pytest.mark.parametrize("corners", [(0, 0, 0.01, 0.01), (63.99, 63.99, 64, 64), (0, 63.999, 64, 64)])
@pytest.mark.parametrize("frame", [Frame.PER_MILLE, Frame.PIXEL])
def test_thin_boxes_stay_boxes(corners, frame):
    box = Box(x0=corners[0], y0=corners[1], x1=corners[2], y1=corners[3])
    sample = Sample(
        id="1", task="grounding", target=Boxes(boxes=(box,)), image=ImageFacts(width=64, height=64, frame=frame)
    )
    assert read_box(answer_text(sample), sample.image)[0] is not None


def test_the_largest_box_is_the_answer():
    small, large = Box(x0=0, y0=0, x1=5, y1=5), Box(x0=10, y0=10, x1=50, y1=50)
    sample = Sample(
        id="1",
        task="grounding",
        target=Boxes(boxes=(small, large)),
        image=ImageFacts(width=100, height=100, frame=Frame.PIXEL),
    )
    assert answer_text(sample) == "[10, 10, 50, 50]"
    assert answer_text(sample.model_copy(update={"target": Boxes()})) == "none"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((500, 375), (504, 364)),
        ((64, 64), (56, 56)),
        ((28, 28), (56, 56)),
        ((10_000, 5_000), (5_068, 2_520)),
        ((3, 200), (28, 196)),
    ],
)
def test_smart_resize(size, expected):
    assert smart_resize(*size, ProcessorSpec()) == expected


@pytest.mark.skipif(importlib.util.find_spec("qwen_vl_utils") is None, reason="qwen_vl_utils is not installed")
def test_smart_resize_equals_qwen():
    importlib.import_module("medrft.recipes.cpu.torchvision").declare_missing_operators()
    qwen = importlib.import_module("qwen_vl_utils.vision_process")
    for width, height in ((64, 64), (500, 375), (31, 400), (4000, 3000), (56, 57), (90, 33)):
        for factor in (28, 32):
            spec = ProcessorSpec(factor=factor, min_pixels=4 * factor**2, max_pixels=16384 * factor**2)
            high, wide = qwen.smart_resize(height, width, factor, spec.min_pixels, spec.max_pixels)
            assert smart_resize(width, height, spec) == (wide, high)


def test_media_placeholders_in_words_are_refused():
    for where in ({"task": {"question": "What is <video>?"}}, {"system": "See <image>"}):
        with pytest.raises(EnvError, match="which verl replaces by a file"):
            next(get_env("phantom-ground@1", where).rows("val"))


def test_system_message_and_question():
    env = get_env("phantom-classify@1", {"system": "You read ultrasound.", "task": {"question": "What is it?"}})
    messages = next(env.rows("val")).messages
    assert messages[0] == {"role": "system", "content": "You read ultrasound."}
    assert messages[1]["content"].startswith("<image>What is it?")


def test_labels_that_break_the_format():
    env = Env(
        {
            "source": {"kind": "phantom", "weights": {"none": 1}},
            "task": {"kind": "classification", "choices": ["none", "cyst", "benign", "malignant", "a}b"]},
            "answer_format": "boxed",
        }
    )
    sample = next(env.rows("val")).sample
    bad = sample.model_copy(update={"target": sample.target.model_copy(update={"value": "a}b"})})
    from medrft.envs import demonstration

    with pytest.raises(EnvError, match="no demonstration can be written"):
        demonstration(bad)


def test_a_whole_composed_reward_gives_the_demonstration_its_best():
    row = next(get_env("phantom-grade@1").rows("val"))
    assert compose("mfrs").score(Response(text=row.demonstration), row.sample).value == pytest.approx(1.0)
