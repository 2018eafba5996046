"""Length-aware grouping: what is computed together should be about equally long.

A batch costs its longest member times its count, so a text of 10 tokens beside one of 200 costs
twenty times its worth.  Groups are therefore made in order of length and closed before padding
exceeds a share of the tokens computed.
"""

from __future__ import annotations

from collections.abc import Sequence


def groups(lengths: Sequence[int], max_items: int, max_padding: float) -> list[list[int]]:
    """Partition ``range(len(lengths))`` into groups to be padded and run together.

    Args:
        lengths: tokens per item, each >= 1.
        max_items: most items in a group (1 switches batching off).
        max_padding: largest share of padding tokens among all tokens of a group, 0 <= x < 1.

    Returns:
        Lists of indices; each index once, shortest items first.
    """
    out: list[list[int]] = []
    tokens = 0
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        length = lengths[index]
        if out and len(out[-1]) < max_items:
            computed = length * (len(out[-1]) + 1)
            if computed - (tokens + length) <= max_padding * computed:
                out[-1].append(index)
                tokens += length
                continue
        out.append([index])
        tokens = length
    return out
