from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handlerkit.batching import groups

LENGTHS = st.lists(st.integers(1, 512), max_size=60)
ITEMS = st.integers(1, 16)
PADDING = st.floats(0, 0.99)


@given(LENGTHS, ITEMS, PADDING)
def test_groups_are_a_partition_of_bounded_groups(lengths, max_items, max_padding):
    found = groups(lengths, max_items, max_padding)
    assert sorted(i for group in found for i in group) == list(range(len(lengths)))
    for group in found:
        assert 1 <= len(group) <= max_items
        computed = max(lengths[i] for i in group) * len(group)
        assert computed - sum(lengths[i] for i in group) <= max_padding * computed


@given(LENGTHS, ITEMS, PADDING)
def test_shorter_texts_never_stand_in_later_groups(lengths, max_items, max_padding):
    order = [lengths[i] for group in groups(lengths, max_items, max_padding) for i in group]
    assert order == sorted(order)


@given(st.lists(st.just(7), min_size=1, max_size=40), ITEMS)
def test_equal_lengths_fill_groups_without_any_padding(lengths, max_items):
    assert len(groups(lengths, max_items, 0.0)) == -(-len(lengths) // max_items)


def test_a_long_text_does_not_make_short_ones_pay():
    assert groups([10, 200, 10], 8, 0.1) == [[0, 2], [1]]
    assert groups([10, 200, 10], 8, 0.9) == [[0, 2, 1]]
    assert groups([], 8, 0.1) == []
