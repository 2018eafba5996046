"""What padding costs, counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from marline.bench import padding
from marline.bench.questions import Question

# tokens that a run costs beside its own: so many that whatever may be computed together is
MANY = 1000.0


def asked(*lengths: int) -> list[Question]:
    return [Question(str(n), "x", n) for n in lengths]


def test_without_grouping_a_batch_is_as_long_as_its_longest() -> None:
    assert padding.waste(asked(1, 3, 4, 4), 2, 2, 0.99, MANY) == pytest.approx(1 - 12 / 14)


def test_texts_alone_are_not_padded() -> None:
    assert padding.waste(asked(1, 9, 4, 30), 4, 1, 0.5, MANY) == 0


def test_groups_within_a_batch_pad_less_and_an_unfinished_batch_does_not_count() -> None:
    texts = asked(10, 100, 10, 100, 55)
    assert padding.waste(texts, 4, 4, 0.99, MANY) == pytest.approx(1 - 220 / 400)
    assert padding.waste(texts, 4, 4, 0.1, MANY) == 0
    assert padding.waste(texts, 4, 4, 0.99, 0.0) == 0


def test_the_mix_is_even_and_the_same_every_time() -> None:
    lengths = [len(row) for row in padding.mix()]
    assert (min(lengths), max(lengths), len(lengths)) == (8, 256, padding.TEXTS)
    assert np.ptp(np.diff(sorted(lengths))) <= 1
    assert lengths != sorted(lengths)
    assert padding.mix() == padding.mix()


class Pads:
    """A tokenizer that pads, and a session that remembers what it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def pad(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        return {"input_ids": np.zeros((len(rows), max(map(len, rows))))}

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self.shapes.append(inputs["input_ids"].shape)
        return {}


def test_both_ways_compute_every_text_once_with_the_same_limit() -> None:
    both, rows = Pads(), padding.mix()
    assert padding.speedup(both, both, rows, padding.LIMIT, 0.1, MANY) > 0  # type: ignore[arg-type]
    arrival, aware = both.shapes[: padding.TEXTS // padding.LIMIT], both.shapes[padding.TEXTS // padding.LIMIT :]
    assert sum(n for n, _ in arrival) == sum(n for n, _ in aware) == padding.TEXTS
    assert max(n for n, _ in aware) <= padding.LIMIT
    tokens = sum(map(len, rows))
    assert sum(n * m for n, m in aware) <= tokens / 0.9 < sum(n * m for n, m in arrival)
