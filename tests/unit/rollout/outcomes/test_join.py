"""Outcomes go to the arm that answered, and what does not fit is counted."""

from __future__ import annotations

from marline.rollout.outcomes import Counts, join
from marline.rollout.outcomes.exposures import Exposures


def exposures() -> Exposures:
    found = Exposures(again=2, ignored=3)
    for request_id, endpoint in (("a", "blue"), ("b", "green"), ("c", "green"), ("d", "dark"), ("e", "blue"), ("e", "green"), ("f", "blue")):
        found.add(request_id, endpoint)
    return found


def test_each_outcome_goes_to_its_arm_in_the_order_in_which_it_came():
    joined = join(exposures(), [("c", 0.5), ("a", 1.0), ("b", 0.0)], "blue", "green")
    assert joined.values == ((True, 0.5), (False, 1.0), (True, 0.0))
    assert joined.exposed == (2, 2)
    assert joined.endpoints == ("blue", "dark", "green")


def test_everything_that_does_not_fit_is_counted_once():
    outcomes = [("a", 1.0), ("a", 0.0), ("a", 0.0), ("x", 1.0), ("d", 1.0), ("e", 1.0)]
    joined = join(exposures(), outcomes, "blue", "green")
    assert joined.values == ((False, 1.0),)
    assert joined.counts == Counts(duplicates=2, strangers=1, elsewhere=1, conflicting=1, exposed_again=2, ignored=3)


def test_no_later_outcome_changes_what_was_there_before():
    first = [("a", 1.0), ("c", 0.5)]
    before = join(exposures(), first, "blue", "green").values
    after = join(exposures(), [*first, ("a", 0.0), ("b", 1.0)], "blue", "green").values
    assert after[: len(before)] == before
