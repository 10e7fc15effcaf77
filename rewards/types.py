"""What a grader knows (`Sample`), what it reads (`Response`), and what it says (`Score`).

All models are frozen, refuse unknown fields and refuse NaN and infinity, so that a bad value fails where it is made.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AnswerFormat(StrEnum):
    """The shape of a whole response. `think_*` needs reasoning first; the other two are the no-think variants."""

    THINK_ANSWER = "think_answer"  # <think>...</think><answer>...</answer>
    THINK_BOXED = "think_boxed"  # <think>...</think>\boxed{...}
    ANSWER = "answer"  # <answer>...</answer>
    BOXED = "boxed"  # \boxed{...}


class Frame(StrEnum):
    """The coordinate frame of a box. Declared by the env, never guessed from the values."""

    PIXEL = "pixel"  # pixels of the image that `ImageFacts.width` and `height` measure
    MODEL_PIXEL = "model_pixel"  # pixels after the processor's resize (Qwen2.5-VL)
    UNIT = "unit"  # 0..1
    PER_MILLE = "per_mille"  # 0..1000 (Qwen3-VL)


class Box(_Model):
    """An axis-aligned box, `x0 < x1`, `y0 < y1`; the frame is the owner's to declare (targets: `Frame.PIXEL`)."""

    x0: float
    y0: float
    x1: float
    y1: float
    name: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Box:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise ValueError(f"expected x0 < x1 and y0 < y1 but got {self.x0, self.y0, self.x1, self.y1}")
        return self

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        return (self.x0, self.y0, self.x1, self.y1)


class ImageFacts(_Model):
    """What is known of the image without its pixels.

    width, height: pixels of the image as the policy gets it; model_width, model_height: after the processor's resize.
    spacing_mm: (row, column) size of one of its pixels. frame: the one that the prompt asks the policy to answer in.
    """

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    path: str | None = None
    model_width: int | None = Field(default=None, gt=0)
    model_height: int | None = Field(default=None, gt=0)
    spacing_mm: tuple[float, float] | None = None
    frame: Frame = Frame.PER_MILLE

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the image in `frame` units: what one multiplies unit coordinates with."""
        if self.frame is Frame.PIXEL:
            return (self.width, self.height)
        if self.frame is Frame.UNIT:
            return (1.0, 1.0)
        if self.frame is Frame.PER_MILLE:
            return (1000.0, 1000.0)
        if self.model_width is None or self.model_height is None:
            raise ValueError("frame model_pixel needs model_width and model_height")
        return (self.model_width, self.model_height)

    def to_pixels(self, box: Box) -> Box:
        """From the answer's frame to pixels of the image file."""
        sx, sy = self.extent
        fx, fy = self.width / sx, self.height / sy
        return Box(x0=box.x0 * fx, y0=box.y0 * fy, x1=box.x1 * fx, y1=box.y1 * fy, name=box.name)

    def from_pixels(self, box: Box) -> Box:
        """From pixels of the image file to the answer's frame."""
        sx, sy = self.extent
        fx, fy = sx / self.width, sy / self.height
        return Box(x0=box.x0 * fx, y0=box.y0 * fy, x1=box.x1 * fx, y1=box.y1 * fy, name=box.name)


class Label(_Model):
    """One class out of `Sample.choices`."""

    kind: Literal["label"] = "label"
    value: str = Field(min_length=1)


class Grade(_Model):
    """An ordinal grade, `0 <= value < levels`."""

    kind: Literal["grade"] = "grade"
    value: int = Field(ge=0)
    levels: int = Field(ge=2)

    @model_validator(mode="after")
    def _in_range(self) -> Grade:
        if self.value >= self.levels:
            raise ValueError(f"expected a grade below {self.levels} but got {self.value}")
        return self


class Boxes(_Model):
    """Boxes in `Frame.PIXEL`; empty for a negative image."""

    kind: Literal["boxes"] = "boxes"
    boxes: tuple[Box, ...] = ()


Target = Annotated[Label | Grade | Boxes, Field(discriminator="kind")]


class Sample(_Model):
    """What a grader may know about one image and question. Never holds a patient's identity."""

    id: str = Field(min_length=1)
    task: Literal["classification", "grading", "grounding"]
    target: Target
    answer_format: AnswerFormat = AnswerFormat.THINK_ANSWER
    choices: tuple[str, ...] = ()
    aliases: dict[str, tuple[str, ...]] = {}
    attributes: dict[str, str] = {}
    image: ImageFacts
    meta: dict[str, str | int | float | bool | None] = {}


class Response(_Model):
    """The assistant's own text: the prompt and tool output are never part of it. turns: how often it spoke.

    tokens and finish_reason are known in an evaluation and None in training, where verl does not hand them over.
    """

    text: str
    turns: int = Field(default=1, ge=1)
    tokens: int | None = None
    finish_reason: str | None = None


class Status(StrEnum):
    """Never a silent zero: whose fault a missing value is, is part of the score."""

    SCORED = "scored"
    MALFORMED = "malformed"  # the model's fault: the lowest value, with a reason
    FAILED = "failed"  # the grader's fault: out of every mean, counted, retryable
    NOT_APPLICABLE = "not_applicable"  # the term does not concern this sample and is dropped


class Score(_Model):
    """A finite value with its status, a short machine-readable reason and details for people."""

    value: float
    status: Status = Status.SCORED
    reason: str = ""
    details: dict[str, Any] = {}

    @classmethod
    def malformed(cls, reason: str, value: float = 0.0, **details: Any) -> Score:
        return cls(value=value, status=Status.MALFORMED, reason=reason, details=details)

    @classmethod
    def failed(cls, reason: str, **details: Any) -> Score:
        return cls(value=0.0, status=Status.FAILED, reason=reason, details=details)

    @classmethod
    def not_applicable(cls, reason: str = "") -> Score:
        return cls(value=0.0, status=Status.NOT_APPLICABLE, reason=reason)
