"""The bridge to verl 0.9: `compute_score`, loaded by verl itself.

    reward:
      custom_reward_function:
        path: pkg://medrft.rewards.verl
        name: compute_score
        reward_kwargs: {spec: '{"terms": [...]}'}    # RewardSpec as JSON text, or a preset's name

`ground_truth` is the JSON of the `Sample`. verl is not imported here: it calls us.

Every call returns the same keys with finite floats, since verl takes the keys of one row for all:

- `score`: the total. Where grading failed it is 0.0 with `status/failed` 1.0: verl has no way to leave one sample out
  of its group, so watch that key; it stays 0 in a healthy run.
- `acc`: 1.0 if the answer is right (grounding: IoU >= 0.5), whatever the reward pays.
- `reward/<component>`: each gate and term, unweighted; 0.0 where it does not apply or failed.
- `status/malformed`, `status/failed`: 0.0 or 1.0.
- `reward_seconds`: time spent in this module.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from time import perf_counter
from typing import Any

from pydantic import ValidationError

from .boundary import attempt
from .compose import Composed, compose
from .correct import correct
from .errors import explain
from .spec import as_spec
from .types import Response, Sample, Status

_log = logging.getLogger(__name__)


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    spec: str | Mapping[str, Any],
    **_: Any,
) -> dict[str, float]:
    """Scores one response. Raises `RewardError` for a wrong spec and nothing else.

    Of `extra_info` it reads what verl's reward manager puts there: `num_turns`, `max_global_steps` (the weights'
    version, which moves scheduled weights), and `assistant_text`, with which a multi-turn agent loop gives the
    assistant's own words: verl's `solution_str` holds the tools' words too.
    """
    start = perf_counter()
    composed = _composed(spec if isinstance(spec, str) else as_spec(spec).model_dump_json())
    row = empty_row(composed)
    info = extra_info or {}
    own = info.get("assistant_text")
    turns = _whole(info.get("num_turns"))
    text = own if isinstance(own, str) else str(solution_str)
    # A lone surrogate is no unicode text, and pydantic refuses it.
    response = Response(text=text.encode("utf-8", "replace").decode(), turns=max(turns or 1, 1))
    try:
        sample = _sample(str(ground_truth))
    except ValueError as error:
        row["status/failed"] = 1.0
        _warn(f"ground_truth of '{data_source}' is no Sample: {error}")
    else:
        total = composed.score(response, sample, _whole(info.get("max_global_steps")))
        right = attempt(correct, response, sample, (0.0, 1.0))
        row["score"] = float(total.value)
        row["acc"] = float(right.value)
        row["status/malformed"] = float(total.status is Status.MALFORMED)
        row["status/failed"] = float(total.status is Status.FAILED)
        for name, score in total.components.items():
            row[f"reward/{name}"] = float(score.value)
            if score.status is Status.FAILED:
                _warn(f"reward '{name}' failed: {score.reason}: {score.details.get('message', '')}")
    row["reward_seconds"] = perf_counter() - start
    return row


def keys(composed: Composed) -> tuple[str, ...]:
    """The keys of every row that `compute_score` returns for this reward, in order."""
    components = (f"reward/{name}" for name in composed.component_names)
    return ("score", "acc", *components, "status/malformed", "status/failed", "reward_seconds")


def empty_row(composed: Composed) -> dict[str, float]:
    """A row of zeros with those keys."""
    return dict.fromkeys(keys(composed), 0.0)


@lru_cache(maxsize=16)
def _composed(spec: str) -> Composed:
    composed = compose(spec)
    _log.info("reward: %s", composed.formula)
    return composed


# A sample comes back once for each rollout of its group; two groups' worth of memory is plenty.
@lru_cache(maxsize=1024)
def _sample(ground_truth: str) -> Sample:
    try:
        return Sample.model_validate_json(ground_truth)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


@lru_cache(maxsize=256)
def _warn(message: str) -> None:
    """Each fault once for each process: a broken grader would otherwise write one line for each sample."""
    _log.warning(message)


def _whole(value: Any) -> int | None:
    """An int out of what verl's numpy containers hand over, or None."""
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
