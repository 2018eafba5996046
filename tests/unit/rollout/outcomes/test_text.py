"""A judgement in words."""

from __future__ import annotations

import re

from marline.rollout.outcomes import Counts, Joined, Terms, judge, lines
from unit.rollout.outcomes.conftest import stream


def test_both_arms_the_difference_what_was_left_out_and_last_the_decision():
    values = tuple(stream(1, 4000, 0.3, 0.5))
    found = list(lines(judge(Joined("blue", "canary", values, (2100, 2100), Counts(duplicates=3, strangers=1), ()), Terms(0.02))))
    assert re.fullmatch(r"stable    blue    mean 0\.\d{4} of \d{4} outcomes, 2100 requests", found[0])
    assert re.fullmatch(r"candidate canary  mean 0\.\d{4} of \d{4} outcomes, 2100 requests", found[1])
    assert re.fullmatch(r"difference \+0\.\d{4} to \+0\.\d{4} \(95 % over all looks, \d+ blocks\), margin 0\.02", found[2])
    assert found[3:5] == [
        "left out: 3 further outcomes of the same request", "left out: 1 outcomes of requests that no exposure is known of",
    ]
    assert re.fullmatch(r"better: The candidate's mean outcome is greater, by 0\.\d{4} at least\.", found[5])
    assert len(found) == 6


def test_an_arm_without_outcomes_has_no_mean():
    found = list(lines(judge(Joined("blue", "green", (), (0, 0), Counts(), ()), Terms(0.02))))
    assert found[0] == "stable    blue   mean - of 0 outcomes, 0 requests"
    assert found[-1].startswith("undecided: no request was answered by stable")
    assert "(endpoints that answered: none)" in found[-1]
