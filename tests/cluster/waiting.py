"""Await a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from cluster.errors import ClusterError, CommandError

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, timeout: float, *, interval: float = 0.2) -> T:
    """Ask again and again until the answer is truthy, and return it.

    Args:
        condition: asked every ``interval`` seconds; a CommandError counts as "not yet".
        what: what is awaited, for the error's sentence.
        timeout: seconds; the condition is asked at least once, and a last time when they are over.
        interval: seconds between two questions.

    Raises:
        ClusterError: it did not come true in time; the last answer or error is in the message.
    """
    end = time.monotonic() + timeout
    while True:
        last = time.monotonic() >= end
        try:
            answer = condition()
            seen = repr(answer)
        except CommandError as error:
            answer, seen = None, str(error)
        if answer:
            return answer
        if last:
            raise ClusterError(f"{what}: not within {timeout:g} s (last seen: {seen})")
        time.sleep(interval)
