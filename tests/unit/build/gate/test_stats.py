from __future__ import annotations

import math

import numpy as np
import pytest

from marline.build.gate.stats import drop_points, median_interval


def _pair(both: int, lost: int, won: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    reference = np.array([True] * (both + lost) + [False] * (won + neither))
    found = np.array([True] * both + [False] * lost + [True] * won + [False] * neither)
    return reference, found


@pytest.mark.parametrize(
    ("counts", "drop", "bound"),
    [
        # by hand, p = (lost + 1) / (n + 2), q = (won + 1) / (n + 2), z = 1.644854
        ((98, 0, 0, 0), 0.0, 100 * 1.644854 * math.sqrt(0.02 / 100)),
        ((90, 7, 1, 0), 100 * 6 / 98, 100 * (0.06 + 1.644854 * math.sqrt((0.10 - 0.0036) / 100))),
        ((40, 1, 4, 3), 100 * -3 / 48, 100 * (-0.06 + 1.644854 * math.sqrt((0.14 - 0.0036) / 50))),
    ],
)
def test_drop_and_its_bound_by_hand(counts: tuple[int, ...], drop: float, bound: float):
    found = drop_points(*_pair(*counts))
    assert found == pytest.approx((drop, bound), abs=1e-4)


@pytest.mark.parametrize(("lost", "won"), [(0.02, 0.01), (0.05, 0.05), (0.01, 0.03)])
def test_the_bound_covers_the_true_drop_as_often_as_it_says(lost: float, won: float):
    rng = np.random.default_rng(3)
    n, runs, covered = 400, 1500, 0
    for draws in rng.random((runs, n)):
        found = draws >= lost
        reference = (draws < lost) | (draws >= lost + won)
        _, bound = drop_points(reference, found)
        covered += bound >= 100 * (lost - won)
    assert 0.93 <= covered / runs <= 0.99


def test_median_interval_holds_the_median_and_is_the_same_every_time():
    values = [1.0, 1.1, 0.9, 5.0, 1.05, 0.95, 1.0]
    median, low, high = median_interval(values)
    assert median == 1.0
    assert min(values) <= low <= median <= high <= max(values)
    assert median_interval(values) == (median, low, high)
    assert median_interval([2.0] * 5) == (2.0, 2.0, 2.0)


def test_median_interval_widens_with_the_spread():
    _, low, high = median_interval([1.0, 1.01, 0.99, 1.0, 1.02])
    _, wide_low, wide_high = median_interval([1.0, 2.0, 0.5, 1.0, 3.0])
    assert wide_high - wide_low > high - low
