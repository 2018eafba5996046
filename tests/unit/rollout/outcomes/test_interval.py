"""The confidence sequence: it covers at every moment together, and it narrows."""

from __future__ import annotations

import pytest

from marline.rollout.outcomes.blocks import differences
from marline.rollout.outcomes.interval import interval
from unit.rollout.outcomes.conftest import excluded_after, stream


@pytest.mark.parametrize(
    ("stable", "candidate", "shares", "drift"),
    [(0.3, 0.3, (0.5,), 0.0), (0.3, 0.4, (0.1, 0.5, 0.9), 0.3), (0.02, 0.02, (0.1,), 0.0), (0.95, 0.85, (0.5,), 0.0)],
)
def test_the_true_difference_is_rarely_ever_outside(stable, candidate, shares, drift):
    # looked at after every block of every run; with a true rate of 10 %, 19 or more of 100 come in 0.5 % of seeds
    runs = (list(differences(stream(seed, 2000, stable, candidate, shares, drift))) for seed in range(100))
    missed = sum(excluded_after(found, candidate - stable, 0.1) is not None for found in runs)
    assert missed <= 18


def test_a_difference_is_found_and_sooner_where_it_is_larger():
    after = []
    for candidate in (0.4, 0.5, 0.7):
        found = [excluded_after(list(differences(stream(seed, 8000, 0.3, candidate))), 0.0, 0.05) for seed in range(20)]
        assert None not in found
        after.append(sorted(found)[10])
    assert after == sorted(after, reverse=True)
    # blocks of about ten requests: ten points within 4,000 requests, forty within 400
    assert after[0] < 400
    assert after[-1] < 40


def test_the_interval_narrows_around_the_difference():
    values = stream(7, 40_000, 0.3, 0.35)
    widths = []
    for requests in (400, 4000, 40_000):
        low, high = interval(list(differences(values[:requests])), 0.05)
        assert low < 0.05 < high
        widths.append(high - low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]
    assert widths[-1] < 0.05


@pytest.mark.parametrize("blocks", [5, 20, 55])
def test_the_interval_is_what_is_not_excluded(blocks):
    found = list(differences(stream(3, 600, 0.3, 0.6)))[:blocks]
    assert len(found) == blocks
    low, high = interval(found, 0.05)
    # capital may have been higher before: what is excluded by the last value is excluded, what is inside may have been
    for outside in (low - 1e-6, high + 1e-6):
        assert abs(outside) > 1 or excluded_after(found, outside, 0.05) is not None
    for inside in (low + 1e-6, (low + high) / 2, high - 1e-6):
        assert excluded_after(found, inside, 0.05) in (None, *range(1, blocks))
    assert excluded_after(found, 0.3, 0.05) is None


def test_arms_in_other_places_give_the_mirrored_interval():
    found = list(differences(stream(4, 2000, 0.3, 0.4)))
    low, high = interval(found, 0.05)
    assert interval([-d for d in found], 0.05) == pytest.approx((-high, -low))


def test_nothing_excludes_nothing():
    assert interval([], 0.05) == (-1.0, 1.0)
    assert excluded_after([], 0.0, 0.05) is None


@pytest.mark.parametrize("extreme", [-1.0, 0.0, 1.0])
def test_outcomes_that_never_differ_are_no_trouble(extreme):
    low, high = interval([extreme] * 500, 0.05)
    assert -1 <= low <= extreme <= high <= 1
    assert high - low < 0.1
    assert excluded_after([extreme] * 500, extreme, 0.05) is None
    assert excluded_after([extreme] * 500, 1.0 if extreme < 1 else -1.0, 0.05) is not None


def test_a_smaller_alpha_is_a_wider_interval():
    found = list(differences(stream(5, 2000, 0.3, 0.4)))
    narrow, wide = interval(found, 0.1), interval(found, 0.001)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
