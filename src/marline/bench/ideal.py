"""The queue that cannot be beaten: first come first served, no server idle while somebody waits, no cost but the service."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def latencies(arrivals: Sequence[float], services: Sequence[float], servers: int) -> list[float]:
    """Time from arrival to answer of each request, in order of arrival.

    Args:
        arrivals: seconds, ascending.
        services: seconds that each one takes.
        servers: how many work at the same time.
    """
    free = [0.0] * servers
    out = []
    for arrival, service in zip(arrivals, services, strict=True):
        end = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, end)
        out.append(end - arrival)
    return out


def regular(rate: float, seconds: float) -> list[float]:
    """Arrivals as k6's constant arrival rate makes them.

    Args:
        rate: per second.
        seconds: how long.
    """
    return [i / rate for i in range(int(rate * seconds))]
