"""The autoscaler's part of an endpoint's values: its signal, and the target that the measured capacity gives."""

from __future__ import annotations

import math
from typing import Any

from marline.rollout.capacity import Capacity, busy_percent, capacity, pending_target
from marline.rollout.facts import Facts
from marline.rollout.server import Settings
from marline.spec.base import Problem
from marline.spec.release import Autoscaling, ReleaseVariant


def pod_capacity(facts: Facts, found: Settings) -> Capacity | None:
    """The measured capacity of a pod with these settings, None where nothing was measured."""
    return capacity(facts.measured, found.workers, found.threads, found.cpus) if facts.measured else None


def autoscaling_values(
    wanted: ReleaseVariant, own: Autoscaling, facts: Facts, found: Settings, problems: list[Problem]
) -> dict[str, Any]:
    """The autoscaler's values; a target that is not written follows from the measured capacity.

    Args:
        wanted: the endpoint.
        own: its autoscaling.
        facts: of its artifact.
        found: its server's settings.
        problems: gets what is wrong, by the key below the endpoint.
    """
    out: dict[str, Any] = {"enabled": True, "minReplicas": own.min_replicas, "maxReplicas": own.max_replicas}
    known = pod_capacity(facts, found)
    if own.queue is not None:
        target = own.queue.target if known is None else own.queue.target or pending_target(known, own.wait_ms)
        if target is None:
            problems.append((("autoscaling", "queue", "target"), _unmeasured(facts, "target")))
        elif target >= found.queue_size:
            key = ("autoscaling", "queue", "target") if own.queue.target else ("autoscaling", "wait_ms")
            sentence = f"a target of {target:g} waiting requests is not less than queue_size {found.queue_size}"
            problems.append((key, f"{sentence}: requests would be refused before a pod is added; lower it"))
        optional = {"query": own.queue.query, "pollingInterval": own.queue.polling_s}
        queue: dict[str, Any] = {"target": target, "prometheusAddress": own.queue.prometheus}
        queue |= {key: value for key, value in optional.items() if value is not None}
        if own.queue.authentication is not None:
            queue["authenticationRef"] = {"name": own.queue.authentication}
        return {**out, "queue": queue}
    limits = wanted.resources.server
    request = limits.cpu_request or found.cpus
    percent = own.cpu_percent
    if percent is None and known is not None:
        # all workers busy use a CPU per thread, or the limit: of that the share, as a percentage of the request
        used = min(found.cpus, found.workers * found.threads)
        percent = max(1, math.floor(busy_percent(known, own.wait_ms) * used / request))
    if percent is None:
        problems.append((("autoscaling", "cpu_percent"), _unmeasured(facts, "cpu_percent")))
    elif percent * request > 100 * found.cpus:
        sentence = f"{percent} percent of the request {request:g} is more than the limit {found.cpus:g}"
        problems.append((("autoscaling", "cpu_percent"), f"{sentence}: it would never be reached; lower it"))
    out["cpu"] = {"targetUtilization": percent}
    if own.memory_percent is not None:
        memory_request = limits.memory_request_mb or found.memory_mb
        if own.memory_percent * memory_request > 100 * found.memory_mb:
            sentence = (
                f"{own.memory_percent} percent of the request {memory_request} is more than the limit {found.memory_mb}"
            )
            problems.append((("autoscaling", "memory_percent"), f"{sentence}: it would never be reached; lower it"))
        out["memory"] = {"targetUtilization": own.memory_percent}
    return out


def _unmeasured(facts: Facts, key: str) -> str:
    return (
        f"no target follows, because {facts.who} was not measured; give {key}, "
        f"or measure it with `marline build {facts.model} --measure`"
    )
