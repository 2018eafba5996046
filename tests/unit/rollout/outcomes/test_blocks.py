"""Blocks compare the arms over the same time."""

from __future__ import annotations

from statistics import fmean

from marline.rollout.outcomes.blocks import LEAST, differences
from unit.rollout.outcomes.conftest import stream


def test_a_block_ends_when_both_arms_have_enough_and_counts_all_it_has():
    stable = [(False, 0.25)] * (3 * LEAST)
    candidate = [(True, 1.0)] * LEAST
    assert list(differences([*stable, *candidate[:-1]])) == []
    assert list(differences([*stable, *candidate])) == [0.75]
    # the next one begins with nothing
    assert list(differences([*stable, *candidate, *candidate])) == [0.75]


def test_more_outcomes_only_add_blocks():
    values = stream(1, 1000, 0.3, 0.5, (0.1,))
    whole = list(differences(values))
    part = list(differences(values[:500]))
    assert part == whole[: len(part)]


def test_neither_a_drift_nor_the_weights_favour_an_arm():
    # the weight goes up while everybody succeeds more often: the plain means differ by 20 points
    values = stream(2, 20_000, 0.2, 0.2, (0.1, 0.5, 0.9), drift=0.6)
    plain = fmean(v for c, v in values if c) - fmean(v for c, v in values if not c)
    assert plain > 0.15
    assert abs(fmean(differences(values))) < 0.02
