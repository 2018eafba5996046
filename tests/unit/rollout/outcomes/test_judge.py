"""The verdict: right, seldom wrong, and undecided where there is not enough."""

from __future__ import annotations

import json

import pytest

from marline.errors import MarlineError
from marline.rollout.outcomes import Counts, Joined, Terms, judge
from unit.rollout.outcomes.conftest import stream


def joined(values, exposed=None) -> Joined:
    counted = tuple(sum(c == who for c, _ in values) for who in (False, True))
    return Joined("blue", "green", tuple(values), exposed or counted, Counts(), ("blue", "green"))


def verdict(stable, candidate, margin, requests=20_000, seed=1):
    return judge(joined(stream(seed, requests, stable, candidate)), Terms(margin))


@pytest.mark.parametrize(
    ("stable", "candidate", "margin", "decision", "reason"),
    [
        (0.3, 0.4, 0.02, "better", "The candidate's mean outcome is greater, by 0."),
        (0.3, 0.3, 0.05, "not-worse", " at most, allowed is 0.05."),
        (0.4, 0.3, 0.02, "worse", " at least, allowed is 0.02."),
        (0.3, 0.28, 0.02, "undecided", ": more outcomes are needed."),
    ],
)
def test_what_is_proven(stable, candidate, margin, decision, reason):
    found = verdict(stable, candidate, margin)
    assert found.decision == decision
    assert reason in found.reason
    assert found.low < candidate - stable < found.high
    assert found.promotes == (decision in ("better", "not-worse"))


def test_a_small_harm_inside_the_margin_is_not_worse():
    assert verdict(0.5, 0.47, 0.1).decision == "not-worse"


def test_without_a_margin_only_better_and_worse_can_be_proven():
    assert {verdict(0.3, candidate, 0.0).decision for candidate in (0.2, 0.3, 0.4)} == {"worse", "undecided", "better"}


def test_candidates_beyond_the_margin_are_hardly_ever_promoted_however_often_one_looks():
    promoted = 0
    for seed in range(60):
        values = stream(seed, 1600, 0.5, 0.4, (0.1, 0.5))
        # at the edge of the margin, looked at 16 times
        promoted += any(judge(joined(values[:n]), Terms(0.1)).promotes for n in range(100, 1601, 100))
    # at most 2.5 % each; with that rate 6 or more of 60 come in 0.4 % of seeds
    assert promoted <= 5


def test_good_candidates_are_promoted_and_bad_ones_refused():
    found = [verdict(0.5, candidate, 0.1, 8000, seed).decision for candidate in (0.5, 0.3) for seed in range(15)]
    assert found[:15].count("not-worse") >= 14
    assert found[15:] == ["worse"] * 15


@pytest.mark.parametrize(
    ("values", "exposed", "says"),
    [
        ([], (0, 5), "no request was answered by stable, endpoint 'blue' (endpoints that answered: blue, green)"),
        ([], (5, 0), "no request was answered by the candidate, endpoint 'green'"),
        ([], (5, 5), "none of the 5 requests of stable has an outcome; none of the 5 requests of the candidate has an outcome."),
    ],
)
def test_an_arm_without_evidence_is_named(values, exposed, says):
    found = judge(joined(values, exposed), Terms(0.1))
    assert (found.decision, found.low, found.high, found.candidate.mean) == ("undecided", -1.0, 1.0, None)
    assert says in found.reason


def test_outcomes_of_the_successes_alone_decide_nothing():
    # the candidate has half the clicks, and only clicks are written: both means are 1
    values = [(c, v) for c, v in stream(1, 20_000, 0.4, 0.2) if v]
    found = judge(joined(values, (10_000, 10_000)), Terms(0.1))
    assert found.candidate.mean == found.stable.mean == 1.0
    assert found.decision == "undecided"
    assert "% of the requests of the candidate have an outcome, needed are 80 %: write one for each, 0 too." in found.reason
    assert judge(joined(values, (10_000, 10_000)), Terms(0.1, least_joined=0)).decision == "not-worse"


def test_the_document_is_json_with_the_method():
    document = json.loads(json.dumps(verdict(0.3, 0.4, 0.02, 2000).document(), allow_nan=False))
    assert document["terms"] == {"margin": 0.02, "alpha": 0.05, "least_joined": 0.8}
    assert document["stable"]["endpoint"] == "blue"
    assert "Waudby-Smith and Ramdas" in document["method"]


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"margin": -0.1}, "margin: -0.1 is not at least 0 and less than 1"),
        ({"margin": 1}, "margin: 1 is not"),
        ({"margin": float("nan")}, "margin: nan is not"),
        ({"margin": 0, "alpha": 0}, "alpha: 0 is not between 0 and 1"),
        ({"margin": 0, "alpha": 1}, "alpha: 1 is not between 0 and 1"),
        ({"margin": 0, "least_joined": 80}, "least_joined: 80 is not from 0 to 1; write 0.8 for 80 %"),
    ],
)
def test_terms_that_make_no_sense_are_one_sentence(terms, says):
    with pytest.raises(MarlineError, match=says):
        Terms(**terms)
