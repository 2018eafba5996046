"""What the machine must have before a node is started on it."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from pathlib import Path

from cluster.commands import run, which
from cluster.errors import ClusterError
from cluster.node import hierarchies
from cluster.settings import Settings

# What is looked for -> the Debian package that has it.
PACKAGES = {
    "conntrack": "conntrack",
    "containerd": "containerd",
    "ctr": "containerd",
    "etcd": "etcd-server",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/lib/cni/portmap": "containernetworking-plugins",
}
OWN_CLUSTER = "set KUBECONFIG to use a cluster of your own (kind, k3d)"


def unfit() -> str | None:
    """Why no node can be started here whatever is installed, or None."""
    if sys.platform != "linux":
        return f"a node needs Linux, this is {sys.platform}; {OWN_CLUSTER}"
    if os.geteuid() != 0:
        return f"a node needs root; run as root, or {OWN_CLUSTER}"
    if not any((root / "memory.limit_in_bytes").exists() for root in hierarchies()):
        return (
            f"a node needs the memory controller of cgroup version 1, which this machine has not mounted; {OWN_CLUSTER}"
        )
    return None


def missing() -> list[str]:
    """The Debian packages that are not installed."""
    found = {what: Path(what).exists() if what.startswith("/") else which(what) is not None for what in PACKAGES}
    return sorted({package for what, package in PACKAGES.items() if not found[what]})


def prepare(settings: Settings) -> None:
    """Install the missing packages, after saying so, and check everything else.

    Raises:
        ClusterError: the machine cannot hold the node, and why.
    """
    if reason := unfit():
        raise ClusterError(reason)
    if packages := missing():
        install(packages)
    bridge = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not bridge.exists() and which("modprobe"):
        run(["modprobe", "br_netfilter"], check=False)
    if not bridge.exists():
        raise ClusterError(f"the kernel has no br_netfilter, which Services need; load that module, or {OWN_CLUSTER}")
    refuse_overlay(settings)
    refuse_overlaps(settings)


def refuse_overlay(settings: Settings) -> None:
    """Refuse a state folder inside a container's own file system."""
    settings.state.mkdir(parents=True, exist_ok=True)
    if run(["stat", "--file-system", "--format=%T", settings.state]).strip() == "overlayfs":
        raise ClusterError(
            f"{settings.state} lies on an overlay file system, on which containerd can unpack no image;"
            " set MARLINE_CACHE to a folder on a disk (in a container: a volume)"
        )


def install(packages: list[str]) -> None:
    """Install Debian packages without a question, or say the line that does it."""
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if which("apt-get") is None:
        raise ClusterError(f"not installed: {', '.join(packages)}; on Debian `{line}` installs them")
    print(f"installing {', '.join(packages)}", flush=True)
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=env, timeout=600)
    run(line.split(), env=env, timeout=600)
    if still := missing():
        raise ClusterError(f"not installed, although apt-get succeeded: {', '.join(still)}; `{line}` shows why")


def refuse_overlaps(settings: Settings) -> None:
    """Refuse addresses that already lead elsewhere."""
    ours = [ipaddress.ip_network(cidr) for cidr in (settings.link_cidr, settings.pod_cidr, settings.service_cidr)]
    for route in json.loads(run(["ip", "-json", "-4", "route", "show"])):
        if route["dst"] == "default" or route.get("dev") == settings.name:
            continue
        taken = ipaddress.ip_network(route["dst"])
        for network in ours:
            if network.overlaps(taken):
                raise ClusterError(
                    f"the machine has a route to {taken} ({route.get('dev')}), which the node would take with {network};"
                    " set CLUSTER_INDEX to another number from 0 to 99"
                )
