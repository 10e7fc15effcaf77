"""What a response is worth. Needs neither verl, vLLM nor Ray."""

from .types import (
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
    Target,
)

__all__ = [
    "AnswerFormat",
    "Box",
    "Boxes",
    "Frame",
    "Grade",
    "ImageFacts",
    "Label",
    "Response",
    "Sample",
    "Score",
    "Status",
    "Target",
]
