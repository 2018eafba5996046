"""One line per target, and the limits that depend on the machine."""

from __future__ import annotations

import pytest

from marline.bench.targets import Target, Verdict, targets, verdicts


def limits(gain: float, machine: str) -> dict[str, float]:
    return {t.name: t.limit for t in targets(gain, lambda: machine)}


def test_limits_follow_the_instruction_set() -> None:
    old, new = limits(1.0, "avx2"), limits(1.0, "avx512-vnni")
    assert (old["rate"], new["rate"]) == (0.85, 0.75)
    assert (old["stock"], new["stock"]) == (3, 6)
    assert {k: v for k, v in old.items() if k not in ("rate", "stock")} == {k: v for k, v in new.items() if k not in ("rate", "stock")}


@pytest.mark.parametrize(("gain", "limit"), [(1.0, 1.0), (1.299, 1.0), (1.3, 1.3), (2.0, 1.3)])
def test_peers_are_to_be_beaten_by_more_where_batching_gains(gain: float, limit: float) -> None:
    assert limits(gain, "avx2")["peer"] == limit


@pytest.mark.parametrize(
    ("most", "value", "reached"), [(False, 1.0, True), (False, 0.999, False), (True, 1.0, True), (True, 1.001, False)]
)
def test_the_median_decides(most: bool, value: float, reached: bool) -> None:
    verdict = Verdict(Target("t", "this", 1.0, most), value, 0.5, 1.5)
    assert verdict.reached is reached
    sign, said = "<=" if most else ">=", "ok" if reached else "short"
    assert str(verdict) == f"this: {value:.3f} [0.500, 1.500], target {sign} 1: {said}"
    assert verdict.as_json()["reached"] is reached


def test_what_was_not_measured_is_said_and_not_judged() -> None:
    wanted = [Target("a", "first", 1.0), Target("b", "second", 1.0), Target("c", "third", 1.0)]
    found, missing = verdicts({"a": [1.0, 3.0, 2.0], "c": []}, wanted)
    assert [(v.target.name, v.value) for v in found] == [("a", 2.0)]
    assert found[0].low <= 2.0 <= found[0].high
    assert missing == ["second: not measured", "third: not measured"]
