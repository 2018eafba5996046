"""Speed at batch 1 and batch 8 with one thread, all variants in one process, in interleaved rounds.

Machines here drift by more than variants differ, so nothing is compared across runs: each round
times a chunk of the same sentences with every variant in turn, and the order rotates.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from handlerkit.backends.base import Backend
from marline.build.gate.exam import BATCH, Inputs, padded
from marline.build.gate.stats import median_interval

ROUNDS = 7
CHUNK = 24


@dataclass(frozen=True)
class Speed:
    """Times in milliseconds; ratios are the reference's time divided by the variant's (above 1 is faster)."""

    p50_ms: float
    p95_ms: float
    p50_ratio: float
    p50_ratio_low: float
    p50_ratio_high: float
    p95_ratio: float
    throughput_ratio: float
    times_ms: tuple[float, ...]


def measure(variants: Mapping[str, Backend], reference: str, inputs: list[Inputs], batchable: bool) -> dict[str, Speed]:
    """Time every variant.

    Args:
        variants: loaded backends by name, the reference among them, one thread each.
        reference: the name ratios refer to.
        inputs: questions of batch size 1 in the data's own mix of lengths.
        batchable: whether they can be padded into batches (text models).
    """
    chunk_size = min(CHUNK, len(inputs))
    single: dict[str, list[list[float]]] = {name: [] for name in variants}
    batch: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for backend in variants.values():
        for warm in inputs[:3]:
            backend.run(warm)
    for number in range(ROUNDS):
        start = (number * chunk_size) % max(1, len(inputs) - chunk_size + 1)
        chunk = inputs[start : start + chunk_size]
        ordered = sorted(chunk, key=lambda i: next(iter(i.values())).shape[-1]) if batchable else []
        groups = [padded(ordered[i : i + BATCH]) for i in range(0, len(ordered), BATCH)]
        for name in names[number % len(names) :] + names[: number % len(names)]:
            backend = variants[name]
            backend.run(chunk[0])  # the previous variant's weights are in the cache
            single[name].append([_timed(backend, question) for question in chunk])
            if groups:
                batch[name].append(sum(_timed(backend, group) for group in groups))
    return {name: _speed(single[name], single[reference], batch[name], batch[reference]) for name in names}


def _timed(backend: Backend, inputs: Inputs) -> float:
    started = time.perf_counter()
    backend.run(inputs)
    return (time.perf_counter() - started) * 1000


def _speed(
    own: list[list[float]], reference: list[list[float]], own_batch: list[float], reference_batch: list[float]
) -> Speed:
    times, others = np.concatenate(own), np.concatenate(reference)
    ratio, low, high = median_interval(
        [float(np.median(r) / np.median(o)) for o, r in zip(own, reference, strict=True)]
    )
    # without batches, throughput is that of single questions
    pairs = list(zip(own_batch, reference_batch, strict=True)) or [
        (sum(o), sum(r)) for o, r in zip(own, reference, strict=True)
    ]
    return Speed(
        p50_ms=float(np.median(times)),
        p95_ms=float(np.percentile(times, 95)),
        p50_ratio=ratio,
        p50_ratio_low=low,
        p50_ratio_high=high,
        p95_ratio=float(np.percentile(others, 95) / np.percentile(times, 95)),
        throughput_ratio=float(np.median([r / o for o, r in pairs])),
        times_ms=tuple(round(float(t), 3) for t in times),
    )
