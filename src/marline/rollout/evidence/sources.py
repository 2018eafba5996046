"""Which counters of a pod are read, and the queries that ask for them.

Two questions make a look. The first asks for the values: an instant selector, since Prometheus leaves out of it what the
newest scrape no longer had. A range still has it, and an error counter of a front that was restarted would stand beside
the new, lower number of answers. The second asks for raw samples with their own times, which the first does not tell:
of one series that every scrape of a front has, and of the CPU, whose samples carry the kubelet's time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from marline.rollout.analysis.limits import Metric

# what is older says nothing about now
FRESH_S = 30
# a gauge that the front has from its start on: who has it is scraped, and what he lacks beside it has never moved
SCRAPED = "envoy_server_live"
ANSWERS = "envoy_http_downstream_rq_completed"
STATUSES = "envoy_http_downstream_rq_xx"
STATUS = "envoy_response_code_class"
FAILED = "5"
LATENCIES = "envoy_http_downstream_rq_time_bucket"
BOUND = "le"
# the listener that clients reach; others are the administration's and that of second attempts
LISTENER, INGRESS = "envoy_http_conn_manager_prefix", "ingress"
CLASSES = "envoy_http_lua_answers"
CLASS = "class"
CPU = "container_cpu_usage_seconds_total"
CONTAINER, SERVER = "container", "server"
# of each metric: what it reads of the front; for ``shift`` the answers tell a front that counts no classes from an idle one
FRONT: dict[Metric, tuple[str, ...]] = {
    "errors": (ANSWERS, STATUSES),
    "slow": (LATENCIES,),
    "agreement": (),
    "shift": (ANSWERS, CLASSES),
    "cpu": (ANSWERS, STATUSES),
}


def names(metrics: Iterable[Metric]) -> list[str]:
    """The front's counters that metrics need; none where they need nothing of Prometheus."""
    return sorted({name for metric in metrics for name in FRONT[metric]})


def values(metrics: Sequence[Metric], namespace: str, pods: Iterable[str]) -> str:
    """The query for values, of all pods at once."""
    return _selector([SCRAPED, *names(metrics)], namespace, pods)


def times(metrics: Sequence[Metric], namespace: str, pods: Iterable[str]) -> str:
    """The query for raw samples of the last :data:`FRESH_S` seconds."""
    cpu = [CPU] if "cpu" in metrics else []
    return f"{_selector([SCRAPED, *cpu], namespace, pods)}[{FRESH_S}s]"


def _selector(names: Iterable[str], namespace: str, pods: Iterable[str]) -> str:
    # of the characters in a pod's name only the dot means something in a regular expression
    found = {"__name__": "|".join(names), "pod": "|".join(sorted(set(pods))).replace(".", "[.]")}
    matchers = [f"{label}=~{json.dumps(pattern)}" for label, pattern in found.items()]
    return "{" + ",".join([*matchers, f"namespace={json.dumps(namespace)}"]) + "}"
