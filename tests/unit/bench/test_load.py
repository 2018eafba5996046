"""Open-loop load on one server: what is divided by what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from marline.bench import load, openloop
from marline.bench.contenders import Contender, Up
from marline.bench.questions import Question

ASKED = [Question("short", "x", 1), Question("long", "x", 9)]


def opened(rate: float, seconds: float = 1.0, **changes: Any) -> openloop.Open:
    base: dict[str, Any] = {
        "right": 0, "wrong": 0, "refused": 0, "failed": 0, "dropped": 0, "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 30.0,
        "p999_ms": 4.0, "refused_p99_ms": None,
    }  # fmt: skip
    return openloop.Open(rate=rate, seconds=seconds, **{**base, **changes})


def test_the_ideal_queue_has_the_runs_own_arrivals_and_service_times() -> None:
    idle = load.ideal_p99(ASKED, {"short": 0.001, "long": 0.001}, opened(2.0), 1)
    assert idle == pytest.approx(1.0)
    # 100 per second of 20 ms each: one server falls behind, two do not
    busy = {"short": 0.02, "long": 0.02}
    assert load.ideal_p99(ASKED, busy, opened(100.0), 2) == pytest.approx(20.0)
    assert load.ideal_p99(ASKED, busy, opened(100.0), 1) > 900


def test_a_text_without_a_time_is_a_typical_one() -> None:
    assert load.ideal_p99([*ASKED, Question("new", "x", 3)] * 2, {"short": 0.004, "long": 0.004}, opened(2.0), 1) == pytest.approx(4.0)


def test_ratios_are_to_the_ideal_queue_and_to_the_peak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Bare:
        def times(self, seconds: float) -> dict[str, float]:
            return {"short": 0.01, "long": 0.01}

        def __len__(self) -> int:
            return 2

    asked_for: list[float] = []

    def open_loop(url: str, requests: Path, rate: float, seconds: float) -> openloop.Open:
        assert requests.is_file()
        asked_for.append(rate)
        refused = 7.5 if rate == 300.0 and asked_for.count(300.0) == 1 else None
        return opened(rate, seconds, right=int(90 * seconds), refused_p99_ms=refused)

    @contextmanager
    def start() -> Iterator[Up]:
        yield Up("http://x", (1,))

    monkeypatch.setattr(openloop, "open_loop", open_loop)
    found = load.load(Contender("c", "C", start, "/"), Bare(), ASKED, 100.0, 2, 4.0, tmp_path, print, 9.0)  # type: ignore[arg-type]
    assert found.queue == pytest.approx([3.0, 3.0])
    assert found.goodput == pytest.approx([0.9, 0.9])
    assert found.refusal == [7.5], "a round without a refusal has no time of one"
    assert [row["share"] for row in found.curve] == list(load.SHARES)
    assert [row["rate"] for row in found.curve] == pytest.approx([30, 50, 70, 90])
