"""Bounds of the front's histogram of answer times."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from marline.agent.front import configuration
from marline.agent.latency import BOUNDS_MS, histogram_buckets
from marline.agent.places import Places
from unit.agent.pod import MANIFEST, settings


@pytest.mark.parametrize("milliseconds", [1.5, 2, 3, 7, 10, 33, 100, 512, 999, 5000, 19000])
def test_an_answer_three_times_slower_falls_two_buckets_further_at_least(milliseconds: float) -> None:
    between = [bound for bound in BOUNDS_MS if milliseconds <= bound < 3 * milliseconds]
    assert len(between) >= 3


def test_steps_are_even_from_a_millisecond_to_the_longest_answer_that_is_told_apart() -> None:
    assert (BOUNDS_MS[0], BOUNDS_MS[-1]) == (1, 60000)
    assert all(1.3 < after / before < 1.47 for before, after in pairwise(BOUNDS_MS))


def test_bounds_have_two_digits_because_values_have_no_more() -> None:
    assert [float(f"{bound:.1e}") for bound in BOUNDS_MS] == list(BOUNDS_MS)


def test_only_the_times_of_clients_requests_have_them() -> None:
    assert [setting["match"] for setting in histogram_buckets()] == [{"exact": "http.ingress.downstream_rq_time"}]


def test_a_scrape_every_two_seconds_finds_the_times_of_answers_since_the_one_before() -> None:
    document = configuration(settings(), MANIFEST, Places(Path("/run/marline")))
    assert 0 < float(document["stats_flush_interval"].removesuffix("s")) <= 1
