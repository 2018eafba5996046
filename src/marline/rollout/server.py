"""The server's settings: what the release writes, else the model's ``serving``, else what follows from the facts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from marline.rollout.facts import Facts
from marline.spec.base import Problem
from marline.spec.model import Serving
from marline.spec.names import VARIANTS
from marline.spec.release import Front, ReleaseVariant

MIB = 2**20
# Python with the engine and the tokenizer, before any weight; generous, for it is not measured here
ENGINE_MB = {"onnx": 128, "torchscript": 512, "eager": 768, "pt2": 896, "compile": 1152}
# a file's weights are in memory twice while they are loaded and laid out for the engine
COPIES = 2
# a batch is larger than the single requests whose memory was measured
HEADROOM = 1.25
STEP_MB = 32

HEAP_BASE_MB = 128
LEAST_HEAP_MB = 256
MOST_HEAP_MB = 16384
# code, threads and buffers of the JVM outside its heap, as the chart adds it
OUTSIDE_HEAP_MB = 256


@dataclass(frozen=True)
class Settings:
    """All settings of one server, and the limits of its container.

    Attributes:
        cpus: the CPU limit.
        memory_mb: the memory limit in MiB.
    """

    workers: int
    threads: int
    batch_size: int
    max_batch_delay_ms: int
    queue_size: int
    cache_items: int
    response_timeout_s: int
    startup_timeout_s: int
    heap_mb: int
    worker_memory_mb: int
    cpus: float
    memory_mb: int


def settings(wanted: ReleaseVariant, serving: Serving, facts: Facts, front: Front) -> Settings:
    """The settings of an endpoint's server.

    Args:
        wanted: what the release says of it.
        serving: what the model's spec says.
        facts: what is known of the artifact.
        front: whose body limit decides the heap.
    """
    own, limits = wanted.server, wanted.resources.server
    threads = own.threads or 1
    workers = own.workers or _workers(serving, threads, limits.cpu)
    kind = VARIANTS.get(facts.variant)
    batch = own.batch_size or (serving.batch_size if kind is None or kind.batch_invariant else 1)
    queue = own.queue_size or serving.queue_size
    body = front.max_body_bytes if front.enabled else Front().max_body_bytes
    heap = own.heap_mb or heap_mb(queue + workers * batch, body)
    worker = own.worker_memory_mb or worker_mb(facts)
    return Settings(
        workers=workers,
        threads=threads,
        batch_size=batch,
        max_batch_delay_ms=serving.max_batch_delay_ms if own.max_batch_delay_ms is None else own.max_batch_delay_ms,
        queue_size=queue,
        cache_items=serving.cache_items if own.cache_items is None else own.cache_items,
        response_timeout_s=own.response_timeout_s or serving.response_timeout_s,
        startup_timeout_s=own.startup_timeout_s or serving.startup_timeout_s,
        heap_mb=heap,
        worker_memory_mb=worker,
        cpus=limits.cpu or workers * threads,
        memory_mb=limits.memory_mb or heap + workers * worker + OUTSIDE_HEAP_MB,
    )


def worker_mb(facts: Facts) -> int:
    """Memory of one worker in MiB: by the archive's size, and never below what was measured."""
    by_size = ENGINE_MB[facts.format] + COPIES * facts.size_bytes / MIB
    measured = facts.measured.rss_mb * HEADROOM if facts.measured else 0
    return math.ceil(max(by_size, measured) / STEP_MB) * STEP_MB


def heap_mb(requests: int, max_body_bytes: int) -> int:
    """Heap in MiB that holds ``requests`` of the largest size: a JVM without memory loses all of them."""
    return max(LEAST_HEAP_MB, HEAP_BASE_MB + math.ceil(requests * max_body_bytes / MIB))


def _workers(serving: Serving, threads: int, cpus: float | None) -> int:
    """One worker for each whole CPU that its threads fill, within the spec's bounds; without a limit, the fewest."""
    if cpus is None:
        return serving.min_workers
    return max(serving.min_workers, min(serving.max_workers, math.floor(cpus / threads)))


def problems(wanted: ReleaseVariant, found: Settings) -> list[Problem]:
    """Settings that contradict each other, by the key of the release that can help it."""
    out: list[Problem] = []
    own, limits = wanted.server, wanted.resources.server
    busy = found.workers * found.threads
    if busy > math.ceil(found.cpus):
        key = (
            ("server", "threads")
            if own.threads
            else ("server", "workers")
            if own.workers
            else ("resources", "server", "cpu")
        )
        sentence = f"{found.workers} workers x {found.threads} threads is {busy}, more than resources.server.cpu {found.cpus:g}"
        out.append((key, f"{sentence} rounded up; lower workers or threads, raise the limit, or leave it out"))
    if limits.cpu_request is not None and limits.cpu_request > found.cpus:
        sentence = f"{limits.cpu_request:g} is more than workers x threads, {found.cpus:g}"
        out.append((("resources", "server", "cpu_request"), f"{sentence}; lower it, or give resources.server.cpu"))
    needed = found.heap_mb + found.workers * found.worker_memory_mb
    if found.memory_mb < needed:
        sentence = (
            f"{found.memory_mb} is less than heap {found.heap_mb} + {found.workers} workers x {found.worker_memory_mb}"
        )
        out.append((("resources", "server", "memory_mb"), f"{sentence} = {needed}; raise the limit, or leave it out"))
    if limits.memory_request_mb is not None and limits.memory_request_mb > found.memory_mb:
        sentence = f"{limits.memory_request_mb} is more than the limit {found.memory_mb}, derived"
        out.append(
            (("resources", "server", "memory_request_mb"), f"{sentence}; lower it, or give resources.server.memory_mb")
        )
    if found.batch_size > found.queue_size:
        key = ("server", "batch_size") if own.batch_size else ("server", "queue_size")
        sentence = f"batch_size {found.batch_size} is more than queue_size {found.queue_size}"
        out.append((key, f"{sentence}; a batch is taken from the queue, allowed: batch_size <= queue_size"))
    if found.max_batch_delay_ms >= 1000 * found.response_timeout_s:
        sentence = f"max_batch_delay_ms {found.max_batch_delay_ms} is not less than response_timeout_s {found.response_timeout_s}"
        out.append((("server", "max_batch_delay_ms"), f"{sentence}; the wait for a batch is part of the response"))
    if found.heap_mb > MOST_HEAP_MB:
        sentence = f"{found.queue_size} waiting requests of the largest body need a heap of {found.heap_mb} MiB"
        out.append(
            (("server", "queue_size"), f"{sentence}, more than {MOST_HEAP_MB}; lower it or front.max_body_bytes")
        )
    return out
