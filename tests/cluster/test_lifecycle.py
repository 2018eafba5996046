"""Up repairs, down leaves nothing: a second cluster, beside whichever one runs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import processes
from cluster.binaries import binary
from cluster.commands import run
from cluster.fixtures import cli
from cluster.health import problems, running_components
from cluster.lifecycle import clean
from cluster.machine import unfit
from cluster.node import SYSCTLS, Node, hierarchies
from cluster.settings import Settings
from cluster.waiting import until

INDEX = 99

pytestmark = pytest.mark.skipif(
    os.environ.get("CLUSTER") == "0" or unfit() is not None,
    reason=f"no second cluster: {unfit() or 'CLUSTER=0 switches it off'}",
)


@pytest.fixture
def settings() -> Iterator[Settings]:
    settings = Settings.of(INDEX)
    clean(settings)
    yield settings
    clean(settings)


def traces(settings: Settings) -> dict[str, set[str]]:
    """Everything on this machine that a node could leave behind."""
    others = {processes.mark(s.name) for s in (Settings.of(i) for i in range(INDEX))}
    inits = [pid for pid in processes.pids() if others.intersection(processes.arguments(pid))]
    elsewhere = {pid for init in inits for pid in processes.members(init)}
    return {
        "processes": {
            f"{pid} {(processes.PROC / str(pid) / 'comm').read_text().strip()}"
            for pid in processes.pids()
            if pid not in elsewhere and is_of_a_node(pid)
        },
        "mounts": set(Path("/proc/self/mounts").read_text().splitlines()),
        "links": {link["ifname"] for link in json.loads(run(["ip", "-json", "link"]))},
        "routes": {route["dst"] for route in json.loads(run(["ip", "-json", "route", "show", "table", "all"]))},
        "network namespaces": set(run(["ip", "netns", "list"]).split()),
        "firewall rules": {line for line in run(["iptables-save"]).splitlines() if not line.startswith(("#", ":"))},
        "firewall chains": {line.split()[0] for line in run(["iptables-save"]).splitlines() if line.startswith(":")},
        "cgroups": {str(root / settings.name) for root in hierarchies() if (root / settings.name).exists()},
        "sysctls": {f"{name}={(processes.PROC / 'sys' / name).read_text().strip()}" for name in SYSCTLS},
        "state": {p.name for p in settings.state.iterdir()} - {"logs"} if settings.state.exists() else set(),
    }


def is_of_a_node(pid: int) -> bool:
    """A component, a sandbox, a container of the node, or what holds one; a zombie of them too."""
    try:
        name = (processes.PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return False
    known = ("containerd", "coredns", "etcd", "hyperkube", "metrics-server", "nsenter", "pause", "runc", "unshare")
    return name.startswith(known)


def test_up_repairs_what_is_half_dead_and_down_leaves_nothing(settings):
    before = traces(settings)
    # namespaces, link, cgroups and not one component: as an `up` that was killed leaves it
    settings.state.mkdir(parents=True, exist_ok=True)
    Node(settings).create(binary("pause"))
    assert "etcd is not running" in problems(settings) or "kubeconfig is missing" in problems(settings)[0]
    assert traces(settings)["cgroups"] != before["cgroups"]

    said = run(cli("up", index=INDEX))
    assert f"the node {settings.name} is up but not healthy" in said
    assert problems(settings) == []
    assert run(cli("up", index=INDEX)).startswith("already up")

    os.kill(running_components(settings)["kube-scheduler"], signal.SIGKILL)
    assert "kube-scheduler is not running" in run(cli("status", index=INDEX), check=False)

    assert run(cli("down", index=INDEX)).startswith("down after")
    # an ended process stays in the table until the machine's PID 1, which inherited it, has collected it
    until(lambda: traces(settings)["processes"] <= before["processes"], "the collection of the node's processes", 20)
    after = traces(settings)
    kinds = before.keys() - {"processes"}
    assert {kind: after[kind] ^ before[kind] for kind in kinds if after[kind] ^ before[kind]} == {}
    assert run(cli("down", index=INDEX)).strip() == "already down"


def test_a_lost_state_folder_does_not_hide_the_node(settings):
    settings.state.mkdir(parents=True, exist_ok=True)
    Node(settings).create(binary("pause"))
    (settings.state / "sysctls.json").unlink()
    assert processes.node_init(settings.name) is not None
    clean(settings)
    assert processes.node_init(settings.name) is None
    assert traces(settings)["cgroups"] == set()
