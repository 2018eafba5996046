"""Measured times to capacity and targets.

Evidence holds the time of one request in the model, one thread, one request at a time.  A worker computes
one request after the other, so its capacity is one request per mean time.  That is an upper bound: it knows
nothing of HTTP and of what the handler does before and after.  A batch or a second thread may do better;
neither was measured, so neither counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from marline.rollout.facts import Measured

# A pod's start takes time in which the load grows: the rest of the capacity is for that.
MOST_BUSY = 70
LEAST_BUSY = 20


@dataclass(frozen=True)
class Capacity:
    """What the workers of one pod can do.

    Attributes:
        workers: workers of the pod.
        mean_ms: time of one request in a worker, stretched where the CPU limit is below a CPU per thread.
        variation: squared coefficient of variation of that time.
    """

    workers: int
    mean_ms: float
    variation: float

    @property
    def per_second(self) -> float:
        """Requests per second at most."""
        return self.workers * 1000 / self.mean_ms


def capacity(measured: Measured, workers: int, threads: int, cpus: float) -> Capacity:
    """The capacity of a pod.

    Args:
        measured: what the evidence says.
        workers: worker processes.
        threads: compute threads of each.
        cpus: the CPU limit; below workers x threads everything takes as much longer.
    """
    return Capacity(workers, measured.mean_ms * max(1.0, workers * threads / cpus), measured.variation)


def waiting(found: Capacity, busy: float) -> float:
    """Mean time in milliseconds that a request waits for a worker, at a share ``busy`` of the capacity.

    Sakasegawa's approximation for independent arrivals; exact for one worker (Pollaczek and Khinchine).
    """
    shape = (1 + found.variation) / 2
    queued = math.pow(busy, math.sqrt(2 * (found.workers + 1)) - 1) / (1 - busy)
    return shape * found.mean_ms / found.workers * queued


def busy_percent(found: Capacity, wait_ms: float) -> int:
    """Largest share of the capacity, in percent, at which requests wait no longer than ``wait_ms`` on average.

    Between ``LEAST_BUSY`` and ``MOST_BUSY``: slow models wait longer than wished rather than waste every pod.
    """
    for percent in range(MOST_BUSY, LEAST_BUSY, -1):
        if waiting(found, percent / 100) <= wait_ms:
            return percent
    return LEAST_BUSY


def pending_target(found: Capacity, wait_ms: float) -> int:
    """Waiting requests per pod at which the wait is ``wait_ms`` (Little's law), at least 1."""
    return max(1, math.floor(found.per_second * wait_ms / 1000))
