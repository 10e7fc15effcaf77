"""What a response is worth: one parser, pure reward functions, composition as data, one bridge to verl (`.verl`).

>>> from medrft.rewards import compose
>>> print(compose("mfrs").formula)
0.9·ordinal@1 + 0.1·format@1  in [0, 1]
"""

# Imported for what they register.
from . import accuracy as accuracy
from . import box_iou as box_iou
from . import format as format
from . import ordinal as ordinal
from .answers import Reading, read_choice, read_grade
from .box_iou import iou, read_box
from .compose import Composed, Total, compose
from .correct import correct
from .errors import RewardError
from .parser import Parsed, parse, render
from .presets import PRESETS
from .registry import Parameter, Reward, TargetType, available, get, reward
from .spec import Gate, RewardSpec, Schedule, Term, as_spec
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
    "PRESETS",
    "AnswerFormat",
    "Box",
    "Boxes",
    "Composed",
    "Frame",
    "Gate",
    "Grade",
    "ImageFacts",
    "Label",
    "Parameter",
    "Parsed",
    "Reading",
    "Response",
    "Reward",
    "RewardError",
    "RewardSpec",
    "Sample",
    "Schedule",
    "Score",
    "Status",
    "Target",
    "TargetType",
    "Term",
    "Total",
    "as_spec",
    "available",
    "compose",
    "correct",
    "get",
    "iou",
    "parse",
    "read_box",
    "read_choice",
    "read_grade",
    "render",
    "reward",
]
