"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

PAUSE_S = 0.01
LONGEST_S = 30.0


def until(condition: Callable[[], object], what: str) -> None:
    """Ask until it is so.

    Raises:
        AssertionError: when it never was.
    """
    end = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(PAUSE_S)


async def eventually(condition: Callable[[], Awaitable[object]], what: str) -> None:
    """The same, where asking takes its time.

    Raises:
        AssertionError: when it never was.
    """
    end = time.monotonic() + LONGEST_S
    while not await condition():
        assert time.monotonic() < end, f"never: {what}"
        await asyncio.sleep(PAUSE_S)
