"""What padding costs: tokens computed for nothing, and the time of batches in order of arrival."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from handlerkit.backends.base import Backend
from handlerkit.batching import groups
from handlerkit.text import Tokenizer
from marline.bench.questions import Question

SHORTEST, LONGEST = 8, 256
LIMIT = 32
TEXTS = 96


def waste(asked: Sequence[Question], batch: int, max_group: int, max_padding: float, run_cost: float) -> float:
    """Share of padding among the tokens computed, for batches of ``batch`` in order of arrival, grouped as a worker does."""
    computed = tokens = 0
    for at in range(0, len(asked) - batch + 1, batch):
        lengths = [q.tokens for q in asked[at : at + batch]]
        tokens += sum(lengths)
        computed += sum(len(g) * max(lengths[i] for i in g) for g in groups(lengths, max_group, max_padding, run_cost))
    return 1 - tokens / computed if computed else 0.0


def mix(seed: int = 0) -> list[list[int]]:
    """Token ids of texts of 8 to 256 tokens, evenly spread, in random order; the ids are those of common words."""
    random = np.random.default_rng(seed)
    lengths = random.permutation(np.linspace(SHORTEST, LONGEST, TEXTS).round().astype(int))
    return [random.integers(1000, 8000, int(length)).tolist() for length in lengths]


def speedup(
    backend: Backend, tokenizer: Tokenizer, rows: Sequence[Sequence[int]], max_group: int, max_padding: float, run_cost: float
) -> float:
    """Time of first-in-first-out batches padded to their longest, over the time of length-aware groups; the same limit.

    Args:
        backend: one thread.
        tokenizer: pads.
        rows: token ids in order of arrival.
        max_group: most rows of a group.
        max_padding: largest share of padding in a group.
        run_cost: of a run beside its tokens, in tokens.
    """
    batches = [rows[at : at + LIMIT] for at in range(0, len(rows), LIMIT)]

    def arrival() -> None:
        for batch in batches:
            backend.run(tokenizer.pad(batch))

    def aware() -> None:
        for batch in batches:
            for group in groups([len(row) for row in batch], max_group, max_padding, run_cost):
                backend.run(tokenizer.pad([batch[i] for i in group]))

    slow, fast = _seconds(arrival), _seconds(aware)
    return slow / fast


def _seconds(what: Callable[[], None]) -> float:
    began = time.process_time()
    what()
    return time.process_time() - began
