"""The yardstick: which texts are computed together, and what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest

from marline.bench.questions import Question
from marline.bench.raw import Batching, choices
from marline.bench.raw_loop import WINDOW, batches, run

ASKED = [Question(f"text {i}", ("bad", "good")[i % 2], 3 + (i * 7919) % 50) for i in range(100)]
LABELS = ("bad", "good")


@pytest.mark.parametrize("size", [1, 3, 8])
def test_in_order_of_arrival_and_over_again(size: int) -> None:
    found = list(islice(batches(ASKED, size, False, 97), 70))
    assert {len(batch) for batch in found} == {size}
    assert [q for batch in found for q in batch] == [ASKED[(97 + i) % 100] for i in range(70 * size)]


@pytest.mark.parametrize("size", [2, 5])
def test_of_like_length_within_a_window_each_text_once(size: int) -> None:
    window = size * WINDOW
    stream = batches(ASKED, size, True, 11)
    for number in range(5):
        found = [q for batch in islice(stream, WINDOW) for q in batch]
        expected = [ASKED[(11 + number * window + i) % 100] for i in range(window)]
        assert sorted(found, key=lambda q: q.text) == sorted(expected, key=lambda q: q.text)
        assert [q.tokens for q in found] == sorted(q.tokens for q in expected)


def test_every_grouping_is_tried_and_single_texts_once() -> None:
    found = choices()
    assert len(found) == len(set(found))
    assert [b for b in found if b.size == 1] == [Batching(1, False)]
    assert {b.size for b in found if b.ordered} == {b.size for b in found if b.size > 1}
    assert (str(Batching(8, True)), str(Batching(8, False))) == ("8 by length", "8")


class Tokens:
    """A tokenizer that knows the texts above."""

    def encode(self, texts: Sequence[str]) -> list[Any]:
        known = {q.text: q.tokens for q in ASKED}
        return [type("Encoded", (), {"ids": [1] * known[text]}) for text in texts]

    def pad(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        return {"input_ids": np.zeros((len(rows), max(map(len, rows))), np.int64)}


class Always:
    """A model that finds everything good."""

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"logits": np.tile([0.0, 1.0], (len(inputs["input_ids"]), 1))}


def test_right_wrong_and_padding_are_counted() -> None:
    order = {"seconds": 0, "batch": 5, "sorted": False, "start": 3}
    found = run(order, LABELS, Always(), Tokens(), ASKED)  # type: ignore[arg-type]
    batch = ASKED[3:8]
    assert (found["right"], found["wrong"]) == (3, 2)
    assert found["padding"] == pytest.approx(1 - sum(q.tokens for q in batch) / (5 * max(q.tokens for q in batch)))
    assert found["times"] == {}
    assert found["seconds"] > 0


def test_times_are_those_of_each_text() -> None:
    order = {"seconds": 0.02, "batch": 1, "sorted": False, "start": 0, "times": True}
    found = run(order, LABELS, Always(), Tokens(), ASKED)  # type: ignore[arg-type]
    assert sum(len(times) for times in found["times"].values()) == found["right"] + found["wrong"]
    assert found["padding"] == 0
