"""The report says every number, whatever is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from marline.bench import page, report
from marline.bench.drawings import Bar, Line, bars, curves
from marline.bench.targets import Target, verdicts


def run(right: int, cpu_seconds: float = 2.0, **changes: Any) -> dict[str, Any]:
    latencies = {"p50_ms": 5.0, "p95_ms": 6.0, "p99_ms": 7.0, "p999_ms": 8.0}
    base = {"connections": 16, "seconds": 2.0, "right": right, "wrong": 0, "refused": 0, "lost": 0, "cpu_seconds": cpu_seconds}
    return {**base, **latencies, **changes}


def turns(right: int, **changes: Any) -> list[dict[str, Any]]:
    raw = {"right": 200, "wrong": 0, "rate": 100.0, "cpu_seconds": 4.0, "padding": 0.0}
    return [{"raw": raw, "loaded": {"1": run(20, p50_ms=1.5), "16": run(right, **changes)}} for _ in range(3)]


@pytest.fixture
def document() -> dict[str, Any]:
    judged, missing = verdicts({"a": [0.9, 0.9]}, [Target("a", "speed <b>", 0.85), Target("b", "other", 1)])
    return {
        "schema_version": 1, "command": "marline bench x <y>", "machine": {"cpus": 2, "cpu_class": "avx2", "cpu": "A & B"},
        "model": {"model": "sentiment", "version": "1.0.0", "variant": "onnx-fp32"},
        "texts": {"count": 9, "tokens_mean": 25.1}, "plan": {"rounds": 3, "seconds": 2, "connections": [16]},
        "raw": {"best": "8 by length", "choices": [{"batching": "1", "rate": 90.0}, {"batching": "8 by length", "rate": 100.0}]},
        "contenders": [
            {"name": "slow", "title": "Slow <server>", "versions": {"slow": "1.0"}, "notes": ["waits & waits"]},
            {"name": "fast", "title": "Fast", "versions": {}, "notes": []},
            {"name": "gone", "title": "Gone", "versions": {}, "notes": []},
        ],
        "absent": {"gone": "it did not start"}, "turns": {"slow": turns(100, wrong=1), "fast": turns(190)}, "load": None,
        "starts": [], "targets": [v.as_json() for v in judged], "missing": missing, "lines": [],
    }  # fmt: skip


def test_rows_are_the_best_first_with_what_was_not_right(document: dict[str, Any]) -> None:
    fast, slow = page.rows(document)
    assert len(fast) == len(slow) == len(page.HEAD)
    assert fast[:5] == ["Fast", "95", "0.95 (0.95 to 0.95)", "1.90 (1.90 to 1.90)", "10.53"]
    assert (slow[0], slow[1], slow[-2], slow[-1]) == ("Slow <server>", "50", "1.5", "3")
    assert fast[-1] == "0"


def test_the_page_holds_everything_and_needs_nothing(document: dict[str, Any]) -> None:
    text = page.page(document)
    for said in ("speed &lt;b&gt;", "other: not measured", "Slow &lt;server&gt;", "waits &amp; waits",
                 "gone was not measured: it did not start", "marline bench x &lt;y&gt;", "A &amp; B", "8 by length"):  # fmt: skip
        assert said in text
    assert "<server>" not in text
    assert not re.search(r"(src|href)=|url\(|@import", text)
    assert page.page(document) == text


def test_load_is_drawn_where_it_was_measured(document: dict[str, Any]) -> None:
    assert "Latency against load" not in page.page(document)
    rows = [{"share": s, "rate": 100 * s, "p50_ms": 1 / (1 - s), "p95_ms": 2 / (1 - s), "p99_ms": 3 / (1 - s)} for s in (0.3, 0.9)]
    document["load"] = {"curve": rows, "queue": [], "goodput": [], "refusal": []}
    assert "Latency against load" in page.page(document)


def test_both_files_are_written_whole(document: dict[str, Any], tmp_path: Path) -> None:
    found = report.write(document, tmp_path / "new" / "folder")
    assert [path.name for path in found] == ["report.json", "report.html"]
    assert json.loads(found[0].read_text()) == document
    assert found[1].read_text() == page.page(document)
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 2


def test_bars_are_as_long_as_their_values() -> None:
    drawn = ElementTree.fromstring(bars("<t>", [Bar("a&b", 1.0, 0.9, 1.1), Bar("c", 0.5, 0.5, 0.5)], mark=1.0))
    wide, narrow = (float(r.attrib["width"]) for r in drawn.iter("rect"))
    assert wide == pytest.approx(2 * narrow, abs=0.2)
    assert drawn.attrib["aria-label"] == "<t>"
    assert bars("nothing", [Bar("z", 0.0, 0.0, 0.0)])


def test_curves_stay_inside_and_rise_upwards() -> None:
    drawn = ElementTree.fromstring(curves("t", [Line("p99", [(0, 0), (1, 5), (2, 10)])], "x", "y"))
    (path,) = [p.attrib["d"] for p in drawn.iter("path") if p.attrib.get("fill") == "none"]
    points = [tuple(map(float, p.split())) for p in re.split(r"[ML]", path) if p.strip()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    width, height = map(float, drawn.attrib["viewBox"].split()[2:])
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
