"""What an entry of the report keeps when it comes to another machine."""

from __future__ import annotations

from typing import Any

from marline.build.report import SPEED_KEYS, without_speed

QUALITY = {"limit": "max_drop_points", "allowed": 0.5, "found": 0.7}
SPEED = {"limit": "max_rss_mb", "allowed": 1.0, "found": 2.0}


def test_nothing_of_another_cpu_class_is_left() -> None:
    entry: dict[str, Any] = {"status": "pass", "accuracy": 0.9, "eligible": True, "runs_on_this_cpu": True, "missed": [QUALITY, SPEED]}
    entry |= dict.fromkeys(SPEED_KEYS, 1.0)
    assert without_speed(entry, runs_here=False) == {
        "status": "pass", "accuracy": 0.9, "eligible": False, "runs_on_this_cpu": False, "missed": [QUALITY],
    }  # fmt: skip
    assert without_speed(entry, runs_here=True)["runs_on_this_cpu"] is True
