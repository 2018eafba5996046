from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlerkit import batching
from handlerkit.batching import groups, measured_run_cost

LENGTHS = st.lists(st.integers(1, 512), max_size=60)
ITEMS = st.integers(1, 16)
PADDING = st.floats(0, 0.99)
COST = st.floats(0, 200)


def cost(found, lengths, run_cost):
    return sum(run_cost + len(group) * max(lengths[i] for i in group) for group in found)


@given(LENGTHS, ITEMS, PADDING, COST)
def test_groups_are_a_partition_of_bounded_groups(lengths, max_items, max_padding, run_cost):
    found = groups(lengths, max_items, max_padding, run_cost)
    assert sorted(i for group in found for i in group) == list(range(len(lengths)))
    for group in found:
        assert 1 <= len(group) <= max_items
        computed = max(lengths[i] for i in group) * len(group)
        assert computed - sum(lengths[i] for i in group) <= max_padding * computed


@given(LENGTHS, ITEMS, PADDING, COST)
def test_shorter_texts_never_stand_in_later_groups(lengths, max_items, max_padding, run_cost):
    order = [lengths[i] for group in groups(lengths, max_items, max_padding, run_cost) for i in group]
    assert order == sorted(order)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=7), st.integers(1, 7), COST)
def test_no_division_into_neighbours_costs_less(lengths, max_items, run_cost):
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    every = []
    for cuts in itertools.product((False, True), repeat=len(order) - 1):
        parts = [[order[0]]]
        for index, cut in zip(order[1:], cuts, strict=True):
            if cut:
                parts.append([index])
            else:
                parts[-1].append(index)
        if max(map(len, parts)) <= max_items:
            every.append(cost(parts, lengths, run_cost))
    assert cost(groups(lengths, max_items, 0.999, run_cost), lengths, run_cost) == pytest.approx(min(every))


@given(st.lists(st.just(7), min_size=1, max_size=40), ITEMS)
def test_equal_lengths_fill_groups_without_any_padding(lengths, max_items):
    assert len(groups(lengths, max_items, 0.0, 1.0)) == -(-len(lengths) // max_items)


def test_a_run_that_costs_nothing_beside_its_tokens_is_not_shared_for_padding():
    assert groups([10, 12], 8, 0.9, 0.0) == [[0], [1]]
    assert groups([10, 12], 8, 0.9, 3.0) == [[0, 1]]


def test_a_long_text_does_not_make_short_ones_pay():
    assert groups([10, 200, 10], 8, 0.1, 5.0) == [[0, 2], [1]]
    assert groups([10, 200, 10], 8, 0.9, 400.0) == [[0, 2, 1]]
    assert groups([], 8, 0.1, 5.0) == []


def test_the_cost_of_a_run_is_what_remains_without_its_tokens(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(batching.time, "perf_counter", lambda: clock[0])

    def run(tokens):
        clock[0] += 0.006 + 0.001 * tokens

    assert measured_run_cost(run) == pytest.approx(6.0)


def test_a_model_that_is_not_slower_for_longer_texts_has_no_known_cost(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(batching.time, "perf_counter", lambda: clock[0])

    def run(tokens):
        clock[0] += 1.0

    assert measured_run_cost(run) == 0.0
