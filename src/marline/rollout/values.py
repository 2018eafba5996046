"""A release, its facts and the models' ``serving``, as values of the chart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from marline.artifact.store import archive_name
from marline.rollout.disk import disk_resources, storage_values
from marline.rollout.facts import Facts
from marline.rollout.placement import architecture, cpu_features
from marline.rollout.scaling import autoscaling_values
from marline.rollout.server import Settings
from marline.rollout.server import problems as server_problems
from marline.rollout.server import settings as server_settings
from marline.rollout.ways import ingress_values, routes_values
from marline.spec.base import Problem
from marline.spec.model import Serving
from marline.spec.release import (
    AtUrl,
    Container,
    Drain,
    Front,
    OnClaim,
    OnHost,
    ReleaseSpec,
    ReleaseVariant,
)
from marline.spec.release_image import ImageName

Values = dict[str, Any]
# after the drain and the slowest answer: for the server to stop, and at least
STOP_S, LEAST_STOP_S = 15, 5


def chart_values(release: ReleaseSpec, variants: Mapping[str, Values]) -> Values:
    """The chart's values.

    Args:
        release: the release.
        variants: values of each endpoint, see :func:`variant_values`.
    """
    values: Values = {
        "image": _image(release.image),
        "primary": release.primary_endpoint,
        "variants": dict(variants),
        "front": _front(release.front),
        "drain": {"seconds": release.drain.seconds},
    }
    if release.routes is not None:
        values["routes"] = routes_values(release.routes)
    if release.ingress is not None:
        values["ingress"] = ingress_values(release.ingress)
    values.update({str(key): value for key, value in release.chart.items()})
    return values


def variant_values(
    wanted: ReleaseVariant, facts: Facts, serving: Serving, front: Front, drain: Drain
) -> tuple[Values, list[Problem]]:
    """The values of one endpoint, and what is wrong with it.

    Args:
        wanted: what the release says of it.
        facts: of its artifact.
        serving: of its model's spec.
        front: the release's front.
        drain: the release's drain.

    Returns:
        The values, and problems by the key below the endpoint; with a problem the values are of no use.
    """
    found = server_settings(wanted, serving, facts, front)
    problems = server_problems(wanted, found)
    values: Values = {
        "model": facts.model,
        "version": facts.version,
        "variant": facts.variant,
        "weight": 100 if wanted.weight is None else wanted.weight,
        "archive": _archive(wanted, facts),
        "server": _server(found),
        "resources": _resources(wanted, facts, found),
        "terminationGracePeriodSeconds": _grace(wanted, found, drain, problems),
    }
    values.update({str(key): value for key, value in wanted.pod.items()})
    if storage := storage_values(wanted, facts):
        values["storage"] = storage
    if facts.example is not None:
        values["example"] = facts.example
    if wanted.image is not None:
        values["image"] = _image(wanted.image)
    if features := cpu_features(wanted, facts):
        values["cpuFeatures"] = features
    if (machine := architecture(wanted, facts)) and isinstance(own := wanted.pod.get("nodeSelector", {}), dict):
        values["nodeSelector"] = {**machine, **own}
    if wanted.autoscaling is None:
        values["replicas"] = 1 if wanted.replicas is None else wanted.replicas
    else:
        values["autoscaling"] = autoscaling_values(wanted, wanted.autoscaling, facts, found, problems)
    return values, problems


def _image(image: ImageName) -> Values:
    keys = {"repository": image.repository, "tag": image.tag, "digest": image.digest}
    pull = getattr(image, "pull_policy", None)
    return {key: value for key, value in {**keys, "pullPolicy": pull}.items() if value is not None}


def _archive(wanted: ReleaseVariant, facts: Facts) -> Values:
    name, source = archive_name(facts.model, facts.version, facts.variant), wanted.archive
    path = getattr(source, "path", None) or f"/archives/{name}"
    out: Values = {"sha256": facts.sha256, "source": source.kind, "path": path}
    if isinstance(source, OnClaim):
        out["claimName"] = source.claim
    elif isinstance(source, OnHost):
        out["hostPath"] = source.directory
    elif isinstance(source, AtUrl):
        out["url"] = source.url + name if source.url.endswith("/") else source.url
        if source.env_from:
            out["envFrom"] = source.env_from
    return out


def _server(found: Settings) -> Values:
    return {
        "workers": found.workers,
        "threads": found.threads,
        "batchSize": found.batch_size,
        "maxBatchDelayMs": found.max_batch_delay_ms,
        "queueSize": found.queue_size,
        "cacheItems": found.cache_items,
        "responseTimeoutSeconds": found.response_timeout_s,
        "startupTimeoutSeconds": found.startup_timeout_s,
        "heapMb": found.heap_mb,
        "workerMemoryMb": found.worker_memory_mb,
    }


def _resources(wanted: ReleaseVariant, facts: Facts, found: Settings) -> Values:
    own = wanted.resources.server
    server = own.model_copy(update={"cpu": float(found.cpus), "memory_mb": found.memory_mb})
    others = {"agent": wanted.resources.agent, "front": wanted.resources.front}
    # the chart has a request of its own for these, which a smaller limit would not hold
    containers = {"server": server} | {
        name: own.model_copy(update={"memory_request_mb": own.memory_request_mb or own.memory_mb})
        for name, own in others.items()
    }
    out: Values = {name: _container(container) for name, container in containers.items()}
    for name, disk in disk_resources(wanted, facts).items():
        for part, amount in disk.items():
            out[name][part] = {**out[name].get(part, {}), **amount}
    return {name: values for name, values in out.items() if values}


def _container(own: Container) -> Values:
    pairs = {"limits": (own.cpu, own.memory_mb), "requests": (own.cpu_request, own.memory_request_mb)}
    out: Values = {}
    for name, (cpu, memory) in pairs.items():
        values = {} if cpu is None else {"cpu": _cpu(cpu)}
        values |= {} if memory is None else {"memory": f"{memory}Mi"}
        if values:
            out[name] = values
    return out


def _cpu(cpus: float) -> int | str:
    thousandths = math.ceil(round(cpus * 1000, 6))
    return thousandths // 1000 if thousandths % 1000 == 0 else f"{thousandths}m"


def _grace(wanted: ReleaseVariant, found: Settings, drain: Drain, problems: list[Problem]) -> int:
    answered = drain.seconds + found.response_timeout_s
    grace = answered + STOP_S if wanted.grace_s is None else wanted.grace_s
    if grace < answered + LEAST_STOP_S:
        sentence = (
            f"{grace} is too short: drain.seconds {drain.seconds} + response_timeout_s {found.response_timeout_s}"
        )
        least = answered + LEAST_STOP_S
        problems.append((("grace_s",), f"{sentence} + {LEAST_STOP_S} = {least}; give at least that, or leave it out"))
    return grace


def _front(front: Front) -> Values:
    out: Values = {
        "enabled": front.enabled,
        "maxBodyBytes": front.max_body_bytes,
        "maxConnections": front.max_connections,
        "headersTimeoutSeconds": front.headers_timeout_s,
        "requestTimeoutSeconds": front.request_timeout_s,
        "idleTimeoutSeconds": front.idle_timeout_s,
        "maxConnectionSeconds": front.max_connection_s,
    }
    if front.image is not None:
        out["image"] = _image(front.image)
    return out
