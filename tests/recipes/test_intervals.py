"""Intervals against independent computations, and against the truth of simulated data."""

from __future__ import annotations

import numpy as np
import pytest
from medrft.recipes.intervals import majority_share, mean_interval


def direct(values: np.ndarray, groups: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """Patients drawn with replacement, their images put together, one mean each time: the definition, in loops."""
    rng = np.random.default_rng(seed)
    members = [values[groups == group] for group in np.unique(groups)]
    means = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(members), len(members))
        means.append(np.concatenate([members[i] for i in drawn]).mean())
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def test_against_a_direct_clustered_bootstrap():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), rng.integers(1, 12, 40))
    values = rng.normal(size=40)[groups] + rng.normal(size=len(groups))
    found = mean_interval(values, [str(g) for g in groups], resamples=8000, seed=1)
    low, high = direct(values, groups, 8000, seed=2)
    width = high - low
    assert found.mean == pytest.approx(values.mean())
    assert abs(found.low - low) < 0.04 * width
    assert abs(found.high - high) < 0.04 * width


def test_against_the_normal_approximation():
    values = np.random.default_rng(0).random(600) < 0.7
    found = mean_interval(values.astype(float), [str(i) for i in range(600)], resamples=8000, seed=1)
    half = 1.96 * values.std() / np.sqrt(600)
    assert found.low == pytest.approx(values.mean() - half, abs=0.004)
    assert found.high == pytest.approx(values.mean() + half, abs=0.004)


def test_images_of_one_patient_count_as_one_draw():
    rng = np.random.default_rng(0)
    per_patient = (rng.random(50) < 0.5).astype(float)
    once = mean_interval(per_patient, [str(i) for i in range(50)], resamples=4000, seed=1)
    copies = mean_interval(
        np.repeat(per_patient, 8), [str(i) for i in range(50) for _ in range(8)], resamples=4000, seed=1
    )
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high))


def test_coverage():
    """Of 300 experiments with clustered data, about 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(0)
    groups = [str(i) for i in range(60) for _ in range(4)]
    held = 0
    for seed in range(300):
        values = 0.3 + np.repeat(rng.normal(size=60), 4) + 0.5 * rng.normal(size=240)
        found = mean_interval(values, groups, resamples=1000, seed=seed)
        held += found.low <= 0.3 <= found.high
    assert 0.91 <= held / 300 <= 0.985


def test_seeded():
    values, groups = np.random.default_rng(0).random(30), [str(i) for i in range(30)]
    assert mean_interval(values, groups, resamples=1000, seed=1) == mean_interval(
        values, groups, resamples=1000, seed=1
    )
    assert mean_interval(values, groups, resamples=1000, seed=1) != mean_interval(
        values, groups, resamples=1000, seed=2
    )


@pytest.mark.parametrize(
    ("values", "groups"),
    [([1.0] * 9, list("abcdefghi")), ([0.0, 1.0, 1.0], ["p"] * 3), ([0.25], ["p"]), ([0, 0], ["a", "b"])],
)
def test_where_nothing_varies_the_interval_is_the_mean(values, groups):
    found = mean_interval(values, groups, resamples=1000, seed=1)
    assert found.as_dict() == {"mean": np.mean(values), "low": np.mean(values), "high": np.mean(values)}


@pytest.mark.parametrize(
    ("values", "groups"),
    [([], []), ([1.0], []), ([1.0, 2.0], ["a"]), ([float("nan"), 1.0], ["a", "b"]), ([1e400], ["a"])],
)
def test_nothing_to_average(values, groups):
    with pytest.raises(ValueError, match="expected"):
        mean_interval(values, groups, resamples=1000, seed=1)


def test_majority():
    assert majority_share(["b", "a", "a", "c"]) == ("a", 0.5)
    assert majority_share(["x"]) == ("x", 1.0)
    with pytest.raises(ValueError, match="at least one label"):
        majority_share([])
