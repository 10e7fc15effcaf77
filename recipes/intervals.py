"""Figures with intervals, as a reviewer asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % percentile-bootstrap interval."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {"mean": self.mean, "low": self.low, "high": self.high}


def mean_interval(values: Sequence[float], groups: Sequence[str], *, resamples: int, seed: int) -> Interval:
    """The mean over samples, resampled by group (patient), so that a patient's images count as one draw.

    Feed it differences `after - before` of the same samples for the paired interval of a gain.

    Raises:
        ValueError: nothing to average, values that are not finite, or not one group a value.
    """
    if not len(values) or len(values) != len(groups):
        raise ValueError(f"expected one group a value and at least one, but got {len(values)} and {len(groups)}")
    x = np.asarray(values, dtype=float)
    if not np.isfinite(x).all():
        raise ValueError("expected finite values")
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    sums, counts = np.bincount(index, weights=x), np.bincount(index).astype(float)
    mean = float(x.mean())
    if len(sums) < 2 or np.ptp(sums / counts) == 0:
        return Interval(mean, mean, mean)

    def ratio(s: npt.NDArray[np.float64], c: npt.NDArray[np.float64], axis: int = -1) -> npt.NDArray[np.float64]:
        return np.asarray(s.sum(axis=axis) / c.sum(axis=axis))

    found = bootstrap(
        (sums, counts),
        ratio,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=250,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


def majority_share(labels: Sequence[str]) -> tuple[str, float]:
    """The most frequent class and its share: what a constant answer scores.

    Raises:
        ValueError: no labels.
    """
    if not labels:
        raise ValueError("expected at least one label")
    label, count = Counter(labels).most_common(1)[0]
    return label, count / len(labels)
