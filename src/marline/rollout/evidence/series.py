"""Samples as one series per pod, comparable between the arms.

A pod that is scraped twice (two jobs, two Prometheus behind one address) has each counter twice; the greatest value is
the newest one, because counters only grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from marline.rollout.analysis.limits import Metric
from marline.rollout.analysis.window import Series
from marline.rollout.evidence import sources
from marline.rollout.evidence.samples import Sample

Counters = dict[str, dict[str, float]]
"""Of one pod: name -> what tells the series of that name apart (a status class, bound or predicted class) -> value."""
KEYS = {sources.STATUSES: sources.STATUS, sources.LATENCIES: sources.BOUND, sources.CLASSES: sources.CLASS}


def counters(samples: Iterable[Sample]) -> dict[str, Counters]:
    """The front's counters by pod; a pod without any, or whose last scrape failed, is not in it."""
    out: dict[str, Counters] = {}
    for sample in samples:
        if sample.labels.get(sources.LISTENER, sources.INGRESS) != sources.INGRESS:
            continue
        key = sample.labels.get(KEYS.get(sample.name, ""), "")
        if sample.name == sources.LATENCIES:
            key = bound(key)
        values = out.setdefault(sample.pod, {}).setdefault(sample.name, {})
        values[key] = max(sample.value, values.get(key, 0.0))
    return {pod: found for pod, found in out.items() if sources.SCRAPED in found}


def cpu_seconds(samples: Iterable[Sample]) -> dict[str, float]:
    """CPU seconds of the server by pod; after a restart those of the newer container."""
    newest: dict[str, Sample] = {}
    for sample in samples:
        # where each CPU has a series of its own, there is one of them all as well
        if (
            sample.name == sources.CPU
            and sample.labels.get(sources.CONTAINER) == sources.SERVER
            and sample.labels.get("cpu", "total") == "total"
            and (sample.pod not in newest or sample.at > newest[sample.pod].at)
        ):
            newest[sample.pod] = sample
    return {pod: sample.value for pod, sample in newest.items()}


def bound(text: str) -> str:
    """An upper bound in one spelling: Prometheus 2 keeps ``50``, Prometheus 3 makes it ``50.0``."""
    try:
        value = float(text)
    except ValueError:
        return ""
    return "+Inf" if math.isinf(value) else repr(value).removesuffix(".0")


def bounds(arms: Iterable[Mapping[str, Counters]]) -> set[str]:
    """The latency bounds that all pods have which have any."""
    found = [set(pod[sources.LATENCIES]) for arm in arms for pod in arm.values() if sources.LATENCIES in pod]
    return set.intersection(*found) - {""} if found else set()


def classes(arms: Iterable[Mapping[str, Counters]]) -> set[str]:
    """The predicted classes that any pod has."""
    return {name for arm in arms for pod in arm.values() for name in pod.get(sources.CLASSES, {})} - {""}


def series(
    found: Counters,
    cpu_s: float | None,
    metrics: Iterable[Metric],
    bounds: Iterable[str],
    classes: Iterable[str],
) -> Series:
    """One pod's counters; those that it has not although it is scraped have never moved.

    Args:
        found: the pod's counters.
        cpu_s: its CPU seconds, None where they are not scraped.
        metrics: what is judged; families that none of them needs are left out.
        bounds: of the latency histogram, the same for both arms.
        classes: the predicted classes of both arms.
    """
    asked = set(sources.names(metrics))
    latencies, of_class = found.get(sources.LATENCIES, {}), found.get(sources.CLASSES, {})
    answers = found.get(sources.ANSWERS, {}).get("", 0.0) if sources.ANSWERS in asked else None
    errors = found.get(sources.STATUSES, {}).get(sources.FAILED, 0.0) if sources.STATUSES in asked else None
    return Series(
        answers=answers,
        errors=errors,
        buckets={each: latencies.get(each, 0.0) for each in sorted(bounds, key=float)},
        classes={each: of_class.get(each, 0.0) for each in sorted(classes)},
        cpu_s=cpu_s,
    )
