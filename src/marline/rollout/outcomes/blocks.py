"""Both arms' outcomes of the same time, compared block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# the least of an arm in a block: with one, half of what the larger arm says is lost where both have equal traffic
LEAST = 4


def differences(values: Iterable[tuple[bool, float]]) -> Iterator[float]:
    """The candidate's mean minus stable's in each block, from -1 to 1.

    A block ends as soon as it has ``LEAST`` outcomes of each arm, which no value decides. Within a block both arms saw
    the same time, so neither a drift of the outcomes nor a change of the weights favours one; and the larger arm's
    many outcomes all count.

    Args:
        values: whether an outcome is the candidate's, and its value from 0 to 1, in the order in which they came in.
    """
    sums, counts = [0.0, 0.0], [0, 0]
    for candidate, value in values:
        sums[candidate] += value
        counts[candidate] += 1
        if min(counts) >= LEAST:
            yield sums[True] / counts[True] - sums[False] / counts[False]
            sums, counts = [0.0, 0.0], [0, 0]
