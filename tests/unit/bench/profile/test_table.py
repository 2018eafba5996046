"""Shares sum to 100 %, and nothing is counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marline.bench.profile.table import OTHER, Operator, Row, lines, operators, phases

TIMES = st.floats(0, 1e6, allow_nan=False)


def test_the_costliest_come_first_and_the_rest_is_other() -> None:
    found = [Operator("Add", 10, 1.0), Operator("MatMul", 4, 6.0), Operator("Cast", 7, 1.0), Operator("Gelu", 2, 0.5)]
    assert operators(found, 10.0, 3) == [
        Row("MatMul", 4, 6.0, 60.0), Row("Add", 10, 1.0, 10.0), Row("Cast", 7, 1.0, 10.0), Row(OTHER, None, 2.0, 20.0),
    ]  # fmt: skip


def test_a_profiler_that_counts_more_than_the_clock_is_the_whole() -> None:
    rows = operators([Operator("MatMul", 1, 12.0)], 10.0, 3)
    assert [(r.name, r.share) for r in rows] == [("MatMul", 100.0), (OTHER, 0.0)]


def test_phases_keep_their_order() -> None:
    rows = phases({"tokenizer": (2, 1.0), "model": (3, 7.0), "presenting": (2, 0.0)}, 10.0)
    assert [(r.name, r.calls, r.share) for r in rows] == [("tokenizer", 2, 10.0), ("model", 3, 70.0), ("presenting", 2, 0.0), (OTHER, None, 20.0)]


def test_nothing_at_all_is_all_other() -> None:
    assert operators([], 0.0, 3) == [Row(OTHER, None, 0.0, 100.0)]


@given(st.lists(TIMES, max_size=40), TIMES, st.integers(0, 20))
def test_shares_and_times_sum_up(times: list[float], whole: float, most: int) -> None:
    rows = operators([Operator(f"op{i}", i + 1, ms) for i, ms in enumerate(times)], whole, most)
    assert round(sum(r.share for r in rows), 6) == 100
    assert all(r.share >= 0 and r.ms >= 0 for r in rows)
    assert sum(r.ms for r in rows) == pytest.approx(max(whole, sum(times)), abs=0.001 * len(rows), rel=1e-6)
    assert len(rows) == min(most, len(times)) + 1
    assert [r.ms for r in rows[:-1]] == sorted((r.ms for r in rows[:-1]), reverse=True)


def test_lines_are_aligned() -> None:
    assert lines([Row("MatMul", 4, 6.0, 60.0), Row(OTHER, None, 1234.56, 40.0)], "operator") == [
        "operator  calls      ms   share",
        "MatMul        4     6.0  60.0 %",
        "other            1234.6  40.0 %",
    ]
