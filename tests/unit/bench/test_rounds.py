"""Turns in a changing order, each beside a bare loop, all others stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from marline.bench import rounds, wrk
from marline.bench.contenders import Contender, Up
from marline.bench.questions import Question
from marline.bench.raw import Batching, RawRun
from marline.errors import BenchError

BARE = RawRun(right=200, wrong=0, rate=100.0, cpu_seconds=4.0, padding=0.0)
PLAN = rounds.Plan(rounds=3, seconds=2, warm_seconds=7, connections=(16,))


def closed(connections: int, right: int = 90, seconds: float = 1.0) -> wrk.Closed:
    return wrk.Closed(connections, seconds, right, 0, 0, 0, 1.0, 2.0, 3.0, 4.0)


def test_ratios_are_to_the_bare_loop_of_the_same_turn() -> None:
    turn = rounds.Turn(BARE, {1: closed(1, 30), 16: closed(16, 90)}, {1: 1.0, 16: 2.0})
    assert turn.rate_ratio(16) == 0.9
    assert turn.cpu_ratio(16) == (90 / 2.0) / (200 / 4.0)
    assert turn.rate_ratio(1) == 0.3


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What happened to whom, in order; nothing is really run."""
    seen: list[tuple[Any, ...]] = []

    def load(url: str, requests: Path, connections: int, seconds: float) -> wrk.Closed:
        assert requests.is_file()
        seen.append(("load", url, connections, seconds))
        return closed(connections)

    monkeypatch.setattr(wrk, "closed", load)
    monkeypatch.setattr(rounds, "pause", lambda up: seen.append(("pause", up.url)))
    monkeypatch.setattr(rounds, "resume", lambda up: seen.append(("resume", up.url)))
    used = iter(range(0, 10000, 2))
    monkeypatch.setattr(rounds, "cpu_seconds", lambda *pids: float(next(used)))
    return seen


@pytest.fixture
def compared(events: list[tuple[Any, ...]], tmp_path: Path) -> Callable[..., rounds.Comparison]:
    class Bare:
        right = BARE.right

        def run(self, batching: Batching, seconds: float) -> RawRun:
            events.append(("raw", seconds))
            return BARE if self.right else RawRun(0, 5, 0.0, 1.0, 0.0)

    def contender(name: str) -> Contender:
        @contextmanager
        def start() -> Iterator[Up]:
            if name == "absent":
                raise BenchError("absent: it does not exist")
            events.append(("start", name))
            yield Up(name, (1,))
            events.append(("end", name))

        return Contender(name, name, start, "/")

    def of(*names: str, right: int = 1) -> rounds.Comparison:
        bare = Bare()
        bare.right = right
        said: list[str] = []
        asked = [Question("a", "x", 1)]
        return rounds.compare([contender(n) for n in names], bare, Batching(4, True), asked, PLAN, tmp_path, said.append)  # type: ignore[arg-type]

    return of


def test_one_that_does_not_start_is_named_and_the_others_go_on(compared: Callable[..., rounds.Comparison]) -> None:
    found = compared("a", "absent", "b")
    assert found.absent == {"absent": "absent: it does not exist"}
    assert {name: len(turns) for name, turns in found.turns.items()} == {"a": 3, "b": 3}
    assert {t.cpu_seconds[16] for turns in found.turns.values() for t in turns} == {2.0}


def test_every_round_begins_with_another_one(compared: Callable[..., rounds.Comparison], events: list[tuple[Any, ...]]) -> None:
    compared("a", "b", "c")
    loads = [url for kind, url, *rest in events if kind == "load" and rest == [16, PLAN.seconds]]
    assert "".join(loads) == "abc" "bca" "cab"


def test_only_the_one_under_load_runs(compared: Callable[..., rounds.Comparison], events: list[tuple[Any, ...]]) -> None:
    compared("a", "b")
    awake: set[str] = set()
    turns = 0
    for kind, *rest in events:
        if kind in ("start", "resume"):
            awake.add(rest[0])
        elif kind in ("pause", "end"):
            awake.discard(rest[0])
        elif kind == "load":
            assert awake == {rest[0]}
        elif kind == "raw":
            assert not awake
            turns += 1
    assert turns == 2 * PLAN.rounds
    assert [e for e in events if e[0] == "end"] == [("end", "b"), ("end", "a")]
    # each is warmed once, and may end only when it runs
    assert [e[1] for e in events if e[0] == "load" and e[3] == PLAN.warm_seconds] == ["a", "b"]
    assert events[events.index(("end", "a")) - 1] == ("resume", "a")


def test_a_bare_loop_without_a_right_answer_ends_it(compared: Callable[..., rounds.Comparison], events: list[tuple[Any, ...]]) -> None:
    with pytest.raises(BenchError, match="^the bare loop gave no right answer; its model or its questions are damaged$"):
        compared("a", right=0)
    assert events[-1] != ("start", "a")


def test_the_document_holds_every_run(compared: Callable[..., rounds.Comparison]) -> None:
    document = rounds.as_json(compared("a"))
    assert len(document["a"]) == 3
    assert document["a"][0]["raw"]["rate"] == 100.0
    assert set(document["a"][0]["loaded"]) == {"1", "16"}
    assert (document["a"][0]["loaded"]["16"]["right"], document["a"][0]["loaded"]["16"]["cpu_seconds"]) == (90, 2.0)
