"""Is the cluster whole: processes, API, node, DNS, metrics."""

from __future__ import annotations

import time
from pathlib import Path

from cluster import components, processes
from cluster.api import Cluster
from cluster.errors import ClusterError
from cluster.settings import Settings

PATIENCE = 30.0


def running_components(settings: Settings) -> dict[str, int]:
    """The components that run in the node -> pid on this machine."""
    init = processes.node_init(settings.name)
    found: dict[str, int] = {}
    if init is None:
        return found
    node = processes.namespace(init, "pid")
    for pid in processes.members(init):
        if processes.namespace(pid, "pid") == node:
            for word in processes.arguments(pid)[:2]:
                if Path(word).name in components.NAMES:
                    found.setdefault(Path(word).name, pid)
    return found


def problems(settings: Settings) -> list[str]:
    """What is wrong, one phrase each; nothing when the cluster is up and whole."""
    if processes.node_init(settings.name) is None:
        return ["the node is not running"]
    if not settings.kubeconfig.exists():
        return [f"{settings.kubeconfig} is missing"]
    found = [f"{name} is not running" for name in components.NAMES if name not in running_components(settings)]
    cluster = Cluster.of_node(settings)
    try:
        cluster.kubectl("get", "--raw", "/readyz", "--request-timeout=10s", timeout=20)
    except ClusterError:
        return [*found, "the API server does not answer"]
    for what, args in (
        ("the node is not ready", ["--for=condition=Ready", f"node/{settings.node_name}"]),
        ("DNS is not available", ["--for=condition=Available", "--namespace=kube-system", "deployment/coredns"]),
        ("metrics are not available", ["--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io"]),
    ):
        if not cluster.holds(*args):
            found.append(what)
    return found


def lasting_problems(settings: Settings) -> list[str]:
    """:func:`problems` that stay for 30 seconds: a busy machine makes a whole cluster late.

    What cannot mend by itself, a process that is gone, is answered at once.
    """
    end = time.monotonic() + PATIENCE
    while True:
        found = problems(settings)
        whole = len(running_components(settings)) == len(components.NAMES) and settings.kubeconfig.exists()
        if not found or not whole or time.monotonic() >= end:
            return found
        time.sleep(1)
