"""An env: a source, a task and a prompt, ready to give rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from typing_extensions import TypedDict  # pydantic wants this one below Python 3.12

from .errors import EnvError, did_you_mean, listed
from .record import Entry, Source
from .source_manifest import ManifestSource
from .source_medmnist import MedMnistSource
from .source_phantom import PhantomSource
from .spec import ClassificationSpec, EnvSpec, GradingSpec, GroundingSpec, ManifestSpec, MedMnistSpec, parse_spec
from .tasks import Row, make_row


class SplitFacts(TypedDict):
    """rows; rows of each class (grades as text; positive and negative for grounding); share of the largest class."""

    rows: int
    classes: dict[str, int]
    majority_share: float


class Env:
    """Made from a spec (model or plain dict); reads nothing but labels until rows are asked for.

    Raises:
        EnvError: if the spec, or the data that it names, is wrong.
    """

    def __init__(self, spec: EnvSpec | dict[str, Any]) -> None:
        self.spec = spec if isinstance(spec, EnvSpec) else parse_spec(spec)
        self.source = _open(self.spec)
        self.choices = self._find_choices()

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def splits(self) -> tuple[str, ...]:
        return self.source.splits

    def entries(self, split: str) -> Iterator[Entry]:
        """The items of a split without their pixels.

        Raises:
            EnvError: for a split that the source does not have.
        """
        if split not in self.splits:
            raise EnvError(
                f"{self.id} has no item in the split {split!r}{did_you_mean(split, self.splits)}; its splits are "
                f"{', '.join(self.splits)}."
            )
        return self.source.entries(split)

    def row(self, entry: Entry) -> Row:
        """The whole row of one entry."""
        return make_row(self.spec, self.choices, self.source.read(entry))

    def rows(self, split: str, skip: int = 0, limit: int | None = None) -> Iterator[Row]:
        """Rows `skip` to `skip + limit` of a split, made one at a time; skipped rows cost no pixels."""
        if skip < 0 or (limit is not None and limit < 0):
            raise EnvError(f"expected skip and limit of 0 or more but got {skip} and {limit}.")
        stop = None if limit is None else skip + limit
        return (self.row(entry) for entry in islice(self.entries(split), skip, stop))

    def describe(self, split: str) -> SplitFacts:
        """Counts of a split; the majority share is what a policy gets that always gives the commonest answer."""
        counts: Counter[str] = Counter(self.class_of(entry) for entry in self.entries(split))
        total = counts.total()
        known = self.choices or (("negative", "positive") if isinstance(self.spec.task, GroundingSpec) else ())
        order = {name: place for place, name in enumerate(known)}
        classes = dict(sorted(counts.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))
        return {"rows": total, "classes": classes, "majority_share": max(counts.values()) / total if total else 0.0}

    def class_of(self, entry: Entry) -> str:
        """What `describe` counts an entry as."""
        if isinstance(self.spec.task, ClassificationSpec):
            return str(entry.label)
        if isinstance(self.spec.task, GradingSpec):
            return str(entry.grade)
        return "positive" if entry.positive else "negative"

    def _find_choices(self) -> tuple[str, ...]:
        task = self.spec.task
        if isinstance(task, GradingSpec):
            return task.names
        if not isinstance(task, ClassificationSpec):
            return ()
        choices = task.choices or self.source.labels
        if choices is None:
            raise EnvError(
                f"{self.id}: task.choices is needed, because a manifest does not say which classes there are."
            )
        if len(choices) < 2:
            raise EnvError(
                f"{self.id}: the source gives only the class {''.join(choices)!r}; classification needs two."
            )
        for label in self.source.labels or ():
            if label not in choices:
                raise EnvError(
                    f"{self.id}: the source's class {label!r} is not in task.choices{did_you_mean(label, choices)}; "
                    "add it or leave task.choices out."
                )
        for name in task.aliases:
            if name not in choices:
                raise EnvError(
                    f"{self.id}: task.aliases has {name!r}, which is not one of "
                    f"{listed(choices)}{did_you_mean(name, choices)}; correct it."
                )
        return choices


def _open(spec: EnvSpec) -> Source:
    task, source = spec.task, spec.source
    if isinstance(source, ManifestSpec):
        return ManifestSource(
            source,
            choices=task.choices if isinstance(task, ClassificationSpec) else None,
            levels=task.levels if isinstance(task, GradingSpec) else None,
            boxes=isinstance(task, GroundingSpec),
        )
    if isinstance(source, MedMnistSpec):
        if isinstance(task, GroundingSpec):
            raise EnvError(
                f"{spec.id}: MedMNIST has no boxes, so its task cannot be grounding; choose classification or grading."
            )
        return MedMnistSource(source)
    return PhantomSource(source)
