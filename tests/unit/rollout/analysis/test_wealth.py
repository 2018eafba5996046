"""Bets that cannot win on average when there is nothing to win."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from marline.rollout.analysis import wealth


def e_value(capital):
    return math.exp(wealth.log_evidence(capital))


def test_a_new_test_has_an_e_value_of_one():
    assert e_value(wealth.start(1)) == pytest.approx(1)
    assert e_value(wealth.start(2)) == pytest.approx(1)


def test_under_the_limit_the_mean_e_value_over_all_courses_of_events_is_exactly_one():
    # loses its stake twice in three times, wins twice the stake else: mean 0, and below the cut
    mean = 0.0
    for course in itertools.product((-1.0, 2.0), repeat=8):
        capital = wealth.start(1)
        for payoff in course:
            capital = wealth.bet(capital, (payoff,))
        mean += math.prod(2 / 3 if payoff < 0 else 1 / 3 for payoff in course) * e_value(capital)
    assert mean == pytest.approx(1)


def test_whichever_excuse_holds_in_a_window_nothing_is_won_on_average():
    # in odd windows the first excuse has mean 0 and the second would pay for sure, in even ones the other way round
    mean = 0.0
    for course in itertools.product((-1.0, 2.0), repeat=8):
        capital = wealth.start(2)
        for number, payoff in enumerate(course):
            capital = wealth.bet(capital, (payoff, 2.5) if number % 2 else (2.5, payoff))
        mean += math.prod(2 / 3 if payoff < 0 else 1 / 3 for payoff in course) * e_value(capital)
    assert mean <= 1 + 1e-9


def test_one_window_multiplies_the_evidence_by_no_more_than_the_cut():
    assert e_value(wealth.bet(wealth.start(1), (1000.0,))) == pytest.approx(wealth.MOST)


def test_ruin_is_never_complete_and_the_evidence_never_overflows():
    capital = wealth.start(1)
    for _ in range(5000):
        capital = wealth.bet(capital, (-1.0,))
    assert all(math.isfinite(each) for each in capital)
    for _ in range(5000):
        capital = wealth.bet(capital, (5.0,))
    assert math.isfinite(wealth.log_evidence(capital))


def test_looking_after_every_window_does_not_break_the_level():
    rng, alpha, alarms, runs = random.Random(5), 0.1, 0, 2000
    for _ in range(runs):
        capital = wealth.start(1)
        for _ in range(60):
            # errors rare and dear, at their limit exactly: the hardest case
            capital = wealth.bet(capital, (1 / 0.3 - 1 if rng.random() < 0.3 else -1.0,))
            if e_value(capital) >= 1 / alpha:
                alarms += 1
                break
    assert 0 < alarms / runs <= alpha
