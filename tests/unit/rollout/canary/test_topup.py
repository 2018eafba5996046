from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from marline.rollout.analysis import Replay
from marline.rollout.canary.topup import TopUp, _rounds
from marline.rollout.replay import Endpoint, Item, Reply
from unit.rollout.replay_endpoints import classified, embedded, endpoint

ITEMS = [Item(str(number), {"text": f"t{number}"}) for number in range(4)]


class Said:
    """An endpoint without a network; counts what it is asked."""

    def __init__(self, answer: Any, enough: int = 0) -> None:
        self.answer, self.address, self.asked = answer, "http://somewhere/predictions/sentiment", 0
        self.enough, self.done = enough, threading.Event()

    def ask(self, request: Any) -> Reply:
        self.asked += 1
        if self.asked >= self.enough:
            self.done.set()
        status, document = self.answer(request)
        return Reply(status, document if isinstance(document, bytes) else json.dumps(document).encode())


def right(request: Any) -> tuple[int, Any]:
    return 200, classified(0.9)


def filled(stable: Any, candidate: Any, pairs: int = 4, items: Any = ITEMS) -> TopUp:
    """One that has asked so much already."""
    found = TopUp(Said(stable), Said(candidate), items, 1.0)  # type: ignore[arg-type]
    for number in range(pairs):
        item = items[number % len(items)]
        found._pairs.append((item, found.stable.ask(item.request), found.candidate.ask(item.request)))
    return found


def test_nothing_was_compared_before_anything_was_asked() -> None:
    assert filled(right, right, 0).take() == (None, "")


def test_versions_that_answer_alike() -> None:
    found = filled(right, right, 10)
    assert found.take() == (Replay(10, 0), "")
    assert found.take() == (None, "")


def test_a_version_that_answers_otherwise() -> None:
    answers = {"t0": 0.1, "t1": 0.9, "t2": 0.9, "t3": 0.9}
    replay, said = filled(right, lambda request: (200, classified(answers[request["text"]])), 8).take()
    assert replay == Replay(8, 2)
    assert said.startswith("0: ")


@pytest.mark.parametrize("answer", [(500, b"no"), (503, b"no"), (None, b"refused"), (200, b"{")])
def test_a_version_that_does_not_answer_answers_wrongly(answer: tuple[int | None, bytes]) -> None:
    replay, said = filled(right, lambda request: answer).take()
    assert replay == Replay(4, 4)
    assert said.startswith("0: the candidate gave ")


def test_what_stable_does_not_answer_says_nothing_of_the_candidate() -> None:
    assert filled(lambda request: (503, b"no"), right).take() == (None, "")
    assert filled(lambda request: (None, b"refused"), lambda request: (500, b"no")).take() == (None, "")


def test_what_both_refuse_is_no_comparison() -> None:
    both = filled(lambda request: (413, b"long"), lambda request: (413, b"long"))
    assert both.take() == (None, "")
    replay, _ = filled(lambda request: (413, b"long"), right).take()
    assert replay == Replay(4, 4)


def test_answers_of_several_variants_are_no_evidence() -> None:
    names = iter(["a", "b", "a", "b"])
    replay, said = filled(right, lambda request: (200, classified(0.9, next(names)))).take()
    assert replay is None
    assert "2 variants answered" in said


def test_too_few_embeddings_wait_for_more() -> None:
    vectors = {"t0": [1.0, 0.0], "t1": [0.9, 0.1], "t2": [0.0, 1.0], "t3": [0.1, 0.9]}

    def answer(request: Any) -> tuple[int, Any]:
        return 200, embedded(vectors[request["text"]])

    found = filled(answer, answer, 2)
    assert found.take() == (None, "")
    for item in ITEMS[2:]:
        found._pairs.append((item, found.stable.ask(item.request), found.candidate.ask(item.request)))
    assert found.take() == (Replay(4, 0), "")


def test_no_item_is_compared_with_its_own_repetition() -> None:
    pair = (ITEMS[0], Reply(200, b""), Reply(200, b""))
    other = (ITEMS[1], Reply(200, b""), Reply(200, b""))
    assert _rounds([pair, other, pair, pair]) == [[pair, other], [pair], [pair]]
    assert _rounds([]) == []


def test_both_are_asked_over_and_over_until_it_ends() -> None:
    with endpoint(right) as one, endpoint(right) as other:
        found = TopUp(Endpoint(one.url), Endpoint(other.url), ITEMS, 500.0)
        counted = Said(right, 9)
        found.candidate = counted  # type: ignore[assignment]
        found.start()
        assert counted.done.wait(30)
        found.stop()
        asked = found.asked
        replay, _ = found.take()
    assert replay is not None
    assert replay.compared == asked >= 8
    assert {request["text"] for _, _, request in one.requests} == {"t0", "t1", "t2", "t3"}
    assert not any(thread.is_alive() for thread in found._threads)


def test_what_was_missed_is_not_made_up_for_in_a_burst() -> None:
    found = TopUp(Said(right), Said(right), ITEMS, 1.0)  # type: ignore[arg-type]
    found.start()
    first = found._began
    found._began -= 1000.0
    found._stopped.wait(0.05)
    found.stop()
    # the clock of the requests was set on, instead of a thousand being asked
    assert found.asked < 100
    assert first > 0
