"""What a window offers to bet on: nothing on average for a candidate like stable, whatever the requests had in common."""

from __future__ import annotations

import itertools
import statistics

import pytest

from marline.rollout.analysis import Limits
from marline.rollout.analysis.bets import Pair, agreement, allowed, cpu, errors, leaning, shift, slow

LIMITS = Limits()


def answered(count, failed=0.0):
    return {"answers": {"all": float(count), "errors": float(failed)}}


def histogram(values, bounds=(10, 20, 30, 40)):
    counts = {str(bound): float(sum(value <= bound for value in values)) for bound in bounds}
    return {"buckets": {**counts, "+Inf": float(len(values))}}


def classes(**counts):
    return {"classes": {name: float(count) for name, count in counts.items()}}


def test_errors_that_fall_on_both_arms_by_their_traffic_pay_nothing_on_average():
    # all 6 errors of an outage, in every way they can fall on 10 answers of which the candidate gave 4
    limits = Limits(error_ratio=1.0)
    payoffs = []
    for hit in itertools.combinations(range(10), 6):
        failed = sum(index < 4 for index in hit)
        payoffs.append(errors(Pair(answered(4, failed), answered(6, 6 - failed), 5), limits, {}).payoffs[1])
    assert statistics.mean(payoffs) == pytest.approx(0)


def test_clumps_do_not_make_errors_worth_more():
    one_by_one = [errors(Pair(answered(100, 1), answered(900), 5), LIMITS, {}).payoffs[0]] * 10
    together = [errors(Pair(answered(100, count), answered(900), 5), LIMITS, {}).payoffs[0] for count in (10, *[0] * 9)]
    assert statistics.mean(together) == pytest.approx(statistics.mean(one_by_one))


def test_error_rates_are_compared_by_exposure():
    offer = errors(Pair(answered(10, 1), answered(990, 0), 5), Limits(error_ratio=1.0), {})
    assert offer.payoffs == pytest.approx((1 / (10 * 0.005) - 1, 1 / 0.01 - 1))


def test_no_errors_at_all_cost_the_first_stake_and_not_the_second():
    assert errors(Pair(answered(100), answered(900), 5), LIMITS, {}).payoffs == (-1.0, 0.0)


@pytest.mark.parametrize("arms", [(answered(0), answered(9)), (answered(9), answered(0)), ({}, answered(9)), ({}, {})])
def test_without_traffic_in_both_arms_nothing_is_bet_on(arms):
    assert errors(Pair(*arms, 5), LIMITS, {}) is None
    assert cpu(Pair(*arms, 50), LIMITS, {}) is None


def test_an_equally_fast_candidate_exceeds_stables_p95_no_more_than_one_time_in_twenty():
    # 23 answers of different speed, in every way that 3 of them can be the candidate's; a bucket for each
    bounds = tuple(range(1, 30))
    shares = []
    for mine in itertools.combinations(range(1, 24), 3):
        theirs = [value for value in range(1, 24) if value not in mine]
        offer = slow(Pair(histogram([*mine, 0], bounds), histogram(theirs, bounds), 5), LIMITS, {})
        shares.append(offer.candidate[0] / 3)
    assert statistics.mean(shares) <= 0.05


def test_what_slows_both_arms_down_is_not_the_candidates_fault():
    calm, hurried = [5] * 38 + [15] * 2, [25] * 38 + [35] * 2
    offers = [slow(Pair(histogram(values), histogram(values), 5), LIMITS, {}) for values in (calm, hurried)]
    assert offers[0].candidate == offers[1].candidate
    assert slow(Pair(histogram(hurried), histogram(calm), 5), LIMITS, {}).candidate == (40.0, 40.0)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (histogram([5] * 3), histogram([5] * 40)),
        (histogram([5] * 40), histogram([5] * 18)),
        (histogram([5] * 40), histogram([99] * 40)),
        (histogram([5] * 40, bounds=(7, 70)), histogram([5] * 40)),
        (histogram([5] * 40), {}),
    ],
    ids=["few of the candidate", "no p95 of stable", "stable beyond the last bound", "other bounds", "no histogram"],
)
def test_what_cannot_be_told_from_the_histograms_is_not_bet_on(mine, theirs):
    assert slow(Pair(mine, theirs, 5), LIMITS, {}) is None


def test_disagreement_is_a_share_of_what_was_compared():
    assert agreement(Pair({}, {}, 5, 50, 2), LIMITS, {}).payoffs == pytest.approx((1.0,))
    assert agreement(Pair({}, {}, 5, 0, 0), LIMITS, {}) is None


def test_the_classes_that_are_compared_were_chosen_before_this_window():
    pair = Pair(classes(yes=10), classes(no=90, yes=10), 5)
    assert shift(pair, LIMITS, {}).payoffs == (0.0,)
    lean = leaning({}, pair)
    assert lean == pytest.approx({"yes": 0.9, "no": -0.9})
    assert shift(pair, LIMITS, lean).payoffs[0] == pytest.approx((0.9 - 0.1) / 1.1)
    # chosen by this window itself, chance would always look like a shift
    assert shift(pair, LIMITS, {"no": 0.9}).payoffs[0] == pytest.approx((-0.9 - 0.1) / 1.1)


def test_a_class_that_one_arm_never_predicts_counts_as_zero_there():
    assert shift(Pair(classes(new=8), classes(old=8), 5), LIMITS, {"new": 1.0}).candidate == (1.0, 1.0)


def test_idle_pods_do_not_make_answers_dear():
    # 0.05 cores for nothing, in one pod and in four, and 10 ms per answer
    mine = {**answered(20), "cpu": {"seconds": 0.05 * 10 + 0.2, "pod_s": 10.0}}
    theirs = {**answered(400), "cpu": {"seconds": 0.05 * 40 + 4.0, "pod_s": 40.0}}
    pair = Pair(mine, theirs, 10)
    assert cpu(pair, Limits(cpu_idle_cores=0.05, cpu_ratio=2), {}).payoffs == pytest.approx((-0.5,))
    assert cpu(pair, Limits(cpu_ratio=2), {}).payoffs[0] > 0


def test_cpu_is_compared_over_ten_seconds_at_least_and_only_when_it_was_measured():
    arm = {**answered(20), "cpu": {"seconds": 1.0, "pod_s": 9.0}}
    assert cpu(Pair(arm, arm, 9), LIMITS, {}) is None
    assert cpu(Pair(answered(20), answered(20), 10), LIMITS, {}) is None


def test_what_is_allowed_grows_with_stable_where_the_limit_says_so():
    found = {metric: (allowed(metric, LIMITS, 0.0), allowed(metric, LIMITS, 0.2)) for metric in ("errors", "slow", "agreement", "shift", "cpu")}
    assert found["errors"] == pytest.approx((0.005, 0.3))
    assert found["slow"] == (0.1, 0.1)
    assert found["agreement"] == (0.02, 0.02)
    assert found["shift"] == pytest.approx((0.1, 0.3))
    assert found["cpu"] == pytest.approx((0.0, 0.3))
