"""Grouping by cost: what is computed together should cost less together than apart.

A group costs one run of the model, whatever is in it, and its longest member times its count.  Which grouping
of a batch is cheapest is found exactly: in order of length, groups are neighbours, so the best division of the
first n texts follows from those of fewer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

SHORT, LONG = 8, 40
LOOKS = 5


def groups(lengths: Sequence[int], max_items: int, max_padding: float, run_cost: float) -> list[list[int]]:
    """Partition ``range(len(lengths))`` into groups to be padded and run together, at the least cost.

    Args:
        lengths: tokens per item, each >= 1.
        max_items: most items in a group (1 switches batching off).
        max_padding: largest share of padding tokens among all tokens of a group, 0 <= x < 1.
        run_cost: what a run costs beside its tokens, in tokens, >= 0; see :func:`measured_run_cost`.

    Returns:
        Lists of indices; each index once, shortest items first.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    cost, begins = [0.0], [0]
    for end, index in enumerate(order, 1):
        tokens, least, begin = 0, float("inf"), end - 1
        for start in range(end - 1, max(-1, end - 1 - max_items), -1):
            tokens += lengths[order[start]]
            computed = lengths[index] * (end - start)
            if computed - tokens > max_padding * computed:
                break  # each further one is shorter still
            if (together := cost[start] + run_cost + computed) < least:
                least, begin = together, start
        cost.append(least)
        begins.append(begin)
    out, end = [], len(order)
    while end:
        out.append(order[begins[end] : end])
        end = begins[end]
    return out[::-1]


def measured_run_cost(run: Callable[[int], object]) -> float:
    """What a run costs on this machine beside its tokens, in tokens.

    Args:
        run: runs the model on one text of so many tokens.

    Returns:
        From the least times of a short and a long text, 0 or more: time(n) = (run cost + n) times the time per token.
    """
    run(SHORT)
    run(LONG)
    short, long = (min(_seconds(run, tokens) for _ in range(LOOKS)) for tokens in (SHORT, LONG))
    per_token = (long - short) / (LONG - SHORT)
    return max(0.0, short / per_token - SHORT) if per_token > 0 else 0.0


def _seconds(run: Callable[[int], object], tokens: int) -> float:
    began = time.perf_counter()
    run(tokens)
    return time.perf_counter() - began
