"""Records as rows."""

from __future__ import annotations

from marline.rollout.history import COLUMNS, table, validate


def test_the_newest_is_first_and_every_row_has_all_columns(promoted, rolled_back, begun):
    rolled_back["started"] -= 86_400
    begun["started"] += 3600
    rows = table(validate(each) for each in (rolled_back, begun, promoted))
    assert [dict(zip(COLUMNS, row, strict=True))["outcome"] for row in rows] == ["running", "promoted", "rolled-back"]


def test_a_row_says_who_and_what(rolled_back):
    rolled_back["reason"] = "first\n  line"
    (row,) = table([validate(rolled_back)])
    cells = dict(zip(COLUMNS, row, strict=True))
    assert cells == {
        "id": "20260921-141320",
        "outcome": "rolled-back",
        "stable": "blue: 1.0.0 onnx-int8-static",
        "candidate": "green: 1.1.0 onnx-int8-static",
        "started (UTC)": "2026-09-21 14:13:20",
        "took": cells["took"],
        "reached": "50 %",
        "exposed": "12.5 %",
        "by": "ada@laptop",
        "reason": "first line",
    }


def test_no_rollouts_are_no_rows():
    assert table([]) == []
