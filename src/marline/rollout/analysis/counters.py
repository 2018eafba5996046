"""From cumulative counters to what happened since: resets, missing scrapes, series that come and go.

A counter that falls was reset with its process, so its new value is what happened since. The counters of a family
(one process writes all of them) are reset together: one that has already overtaken its old value would be missed alone.
A missing scrape loses nothing, since the next one counts from the last that was there; a stale one adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from marline.rollout.analysis.window import Series

Counts = dict[str, float]
Tally = dict[str, Counts]
"""Increments by family: ``answers`` (``all``, ``errors``), ``buckets`` (by bound), ``classes`` (by name), ``cpu``
(``seconds``, and ``pod_s``, the seconds of all pods in which they were burnt)."""
Seen = dict[str, Tally]
"""The last values of each pod; family ``cpu`` has its time under ``pod_s``."""
# pods that are gone are forgotten beyond this: the state has to fit into a ConfigMap
MOST_PODS = 200


def families(series: Series, at: float) -> Tally:
    """The counters of one scrape by the process that writes them; families that were not scraped are left out."""
    out: Tally = {}
    if series.answers is not None and series.errors is not None:
        out["answers"] = {"all": series.answers, "errors": series.errors}
    if series.buckets:
        out["buckets"] = dict(series.buckets)
    if series.classes:
        out["classes"] = dict(series.classes)
    if series.cpu_s is not None:
        out["cpu"] = {"seconds": series.cpu_s, "pod_s": at}
    return out


def advance(seen: Seen, arm: Mapping[str, Series], at: float) -> Tally:
    """What an arm did since its pods were last seen; ``seen`` is brought up to date.

    A pod seen for the first time only sets the value to count from.
    """
    total: Tally = {}
    for pod, series in arm.items():
        known = seen.setdefault(pod, {})
        for family, now in families(series, at).items():
            before = known.get(family)
            known[family] = now
            if before is not None:
                _count(total.setdefault(family, {}), before, now)
    for pod in [pod for pod in seen if pod not in arm][: max(0, len(seen) - MOST_PODS)]:
        del seen[pod]
    return total


def _count(total: Counts, before: Counts, now: Counts) -> None:
    # time passes for a pod whose counters were reset as well
    reset = any(value < before.get(key, 0.0) for key, value in now.items() if key != "pod_s")
    for key, value in now.items():
        start = 0.0 if reset and key != "pod_s" else before.get(key, 0.0)
        total[key] = total.get(key, 0.0) + max(0.0, value - start)


def add(total: Counts, more: Mapping[str, float]) -> None:
    """Add increments to others, in place."""
    for key, value in more.items():
        total[key] = total.get(key, 0.0) + value
