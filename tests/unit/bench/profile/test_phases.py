"""Phases lie inside requests, leave the answers alone, and leave the handler as it was."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from marline.bench.profile import phases
from marline.bench.profile.phases import GROUPING, MODEL, PHASES, PRESENTING, REQUESTS, TOKENIZER, ask, timed
from marline.serve import Served
from marline.serve.fastapi.archives import load_handler, unpack

from .conftest import BODIES


@pytest.fixture
def handler(onnx_archive: Served, tmp_path: Path):
    unpack(onnx_archive, tmp_path / "unpacked")
    return load_handler(tmp_path / "unpacked")


def labels(handler, batch: int) -> list[str]:
    return [json.loads(a.body)["label"] for a in ask(handler, BODIES, batch)]


def test_each_phase_is_timed_as_often_as_it_runs(handler) -> None:
    alone = labels(handler, 1)
    with timed(handler) as spans:
        assert labels(handler, 2) == alone
    assert (spans.count(REQUESTS), spans.count(TOKENIZER), spans.count(GROUPING), spans.count(PRESENTING)) == (3, 3, 3, 5)
    assert 3 <= spans.count(MODEL) <= 5
    counted = len(spans.spans)
    labels(handler, 2)
    assert len(spans.spans) == counted


def test_phases_lie_in_each_other_and_their_split_is_the_whole(handler) -> None:
    with timed(handler) as spans:
        labels(handler, 5)
    when = {name: (start, end) for name, start, end in spans.spans}
    for inner, outer in ((TOKENIZER, REQUESTS), (GROUPING, REQUESTS), (MODEL, GROUPING), (PRESENTING, REQUESTS)):
        assert when[outer][0] <= when[inner][0] <= when[inner][1] <= when[outer][1]
    split = spans.split()
    assert tuple(split) == PHASES
    assert split[GROUPING][1] + split[MODEL][1] == pytest.approx(spans.seconds(GROUPING) * 1000)
    assert 0 < sum(ms for _, ms in split.values()) <= spans.whole_ms


def test_a_phase_that_fails_is_timed_too_and_the_handler_is_itself_again(handler) -> None:
    def broken(items):
        raise OSError("no")

    handler.prepare = broken
    with pytest.raises(OSError, match="^no$"), timed(handler) as spans:
        ask(handler, BODIES, 2)
    assert (spans.count(TOKENIZER), spans.count(REQUESTS)) == (1, 1)


def test_a_profilers_marks_enclose_the_phases(handler, monkeypatch: pytest.MonkeyPatch) -> None:
    marks: list[str] = []

    @contextmanager
    def mark(name: str):
        marks.append(f"<{name}")
        yield
        marks.append(f"{name}>")

    with timed(handler, mark):
        ask(handler, BODIES[:1], 1)
    assert marks == [
        "<requests", "<tokenizer", "tokenizer>", "<grouping", "<model", "model>", "grouping>", "<presenting", "presenting>", "requests>",
    ]  # fmt: skip
    assert phases.no_mark("anything").__enter__() is None
