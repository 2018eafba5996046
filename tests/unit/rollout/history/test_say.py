"""Numbers and times of a record in words."""

from __future__ import annotations

import pytest

from marline.rollout.history import say, validate


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (95, "1 min 35 s"), (3600, "1 h 0 min"), (9000, "2 h 30 min")]
)
def test_a_duration_has_its_two_greatest_units(seconds, words):
    assert say.duration(seconds) == words


@pytest.mark.parametrize(
    ("metric", "found", "words"),
    [("errors", 0.0512, "5.12 %"), ("errors", 0.0, "0 %"), ("cpu", 0.0123, "12.3 ms"), ("slow", None, "-"), ("own", 1.0, "100 %")],
)
def test_a_value_has_its_metric_s_unit(metric, found, words):
    assert say.value(metric, found) == words


@pytest.mark.parametrize(("found", "words"), [(0.0, "0"), (0.0421, "0.0421"), (300.0, "300"), (1e-9, "1e-09"), (3e99, "3e+99")])
def test_only_what_is_very_large_or_small_has_an_exponent(found, words):
    assert say.number(found) == words


def test_what_a_rollout_did(promoted, begun):
    record = validate(promoted)
    assert (say.reached(record), say.exposed(record), say.moment(record.started)) == ("100 %", "12.5 %", "2026-09-21 14:13:20")
    record = validate(begun)
    assert (say.reached(record), say.exposed(record), say.took(record)) == ("-", "-", "0 s")


def test_weights_are_shares_of_their_sum(promoted):
    promoted["weights"] = [{"at": promoted["started"], "stable": 3, "candidate": 1}, {"at": promoted["started"], "stable": 0, "candidate": 0}]
    assert say.reached(validate(promoted)) == "25 %"
