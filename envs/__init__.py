"""What the policy sees: sources, tasks, prompts, and the build that verl reads. Needs neither verl, torch nor Ray.

>>> from medrft.envs import get_env
>>> env = get_env("phantom-classify@1", {"answer_format": "answer"})
>>> row = next(env.rows("train"))
>>> row.messages[0]["content"]
'<image>Which lesion: none, cyst, benign or malignant? Use <answer>.'
"""

from .build import FileFacts, Manifest, build, read_manifest
from .env import Env, SplitFacts
from .errors import EnvError
from .images import MAX_PIXELS
from .paths import DATA_VARIABLE, data_folder
from .phantom import GRADE_MM, Phantom, equivalent_diameter_mm, grade_of, simulate
from .phantom_lesion import LESIONS
from .record import Entry, PixelBox, Record, Source
from .registry import available_envs, get_env, get_spec, register_env
from .spec import (
    ClassificationSpec,
    Columns,
    EnvSpec,
    GradingSpec,
    GroundingSpec,
    ManifestSpec,
    MedMnistSpec,
    PhantomSpec,
    ProcessorSpec,
    load_spec,
    parse_spec,
)
from .tasks import Row, answer_text, demonstration, smart_resize

__all__ = [
    "DATA_VARIABLE",
    "GRADE_MM",
    "LESIONS",
    "MAX_PIXELS",
    "ClassificationSpec",
    "Columns",
    "Entry",
    "Env",
    "EnvError",
    "EnvSpec",
    "FileFacts",
    "GradingSpec",
    "GroundingSpec",
    "Manifest",
    "ManifestSpec",
    "MedMnistSpec",
    "Phantom",
    "PhantomSpec",
    "PixelBox",
    "ProcessorSpec",
    "Record",
    "Row",
    "Source",
    "SplitFacts",
    "answer_text",
    "available_envs",
    "build",
    "data_folder",
    "demonstration",
    "equivalent_diameter_mm",
    "get_env",
    "get_spec",
    "grade_of",
    "load_spec",
    "parse_spec",
    "read_manifest",
    "register_env",
    "simulate",
    "smart_resize",
]
