"""The node: namespaces of its own, one link to the host, one cgroup in every hierarchy.

Firewall rules, forwarding, bridge, ports and mounts are the node's own and end with it. It has no
default route, so nothing in it reaches anything but the host's end of the link. What it shares with the
host is the cgroup tree, below one folder of its name, and the sysctls that the kubelet sets.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from cluster import processes
from cluster.commands import SYSTEM_PATH, run
from cluster.errors import ClusterError
from cluster.settings import Settings
from cluster.waiting import until

# The kubelet sets these on the whole machine, and no namespace holds them.
SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
# Fixed paths of kubelet, runtime and CNI. They must exist on the host to be mounted over in the node. They
# stay behind, empty: removing one would detach what another node has mounted there.
ON_DISK = {"/var/lib/kubelet": "kubelet", "/var/log/pods": "pod-logs"}
IN_MEMORY = ("/run", "/var/lib/cni", "/var/log/containers")


class Node:
    """The namespaces of one node, from their creation to their end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def init(self) -> int:
        """Its PID 1 as the host numbers it.

        Raises:
            ClusterError: it is not running.
        """
        pid = processes.node_init(self.settings.name)
        if pid is None:
            raise ClusterError(f"the node {self.settings.name} is not running; `make cluster-up` starts it")
        return pid

    def enter(self, command: Sequence[str | Path]) -> list[str]:
        """The command line that runs ``command`` in the node. (``ip netns exec`` would hide the cgroups.)"""
        return ["nsenter", f"--target={self.init}", "--net", "--mount", "--pid", "--", *(str(word) for word in command)]

    def inside(self, *command: str | Path, stdin: IO[bytes] | None = None, timeout: float = 300) -> str:
        """Run a command in the node and return its output."""
        return run(self.enter(command), stdin=stdin, timeout=timeout)

    def start(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        """Start a component in the node, detached from this process; its output goes to ``logs/NAME.log``."""
        return self._detached(name, self.enter(command))

    def _detached(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        self.settings.logs.mkdir(parents=True, exist_ok=True)
        with (self.settings.logs / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # nothing of the caller's (proxies, credentials) is the node's business
                env={"PATH": SYSTEM_PATH, "HOME": str(self.settings.state), "LANG": "C.UTF-8"},
            )

    def create(self, pause: Path) -> None:
        """Make the namespaces, the mounts, the link and the cgroups."""
        settings = self.settings
        self._note_sysctls()
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        self._detached("pause", [*unshare, pause, processes.mark(settings.name)])
        until(lambda: processes.node_init(settings.name), "PID 1 of the node", 10, interval=0.02)
        self._mount()
        self._link()
        make_cgroups(settings.name)

    def _mount(self) -> None:
        lines = ["set -e"]
        for path, folder in ON_DISK.items():
            Path(path).mkdir(parents=True, exist_ok=True)
            (self.settings.state / folder).mkdir(parents=True, exist_ok=True)
            lines.append(f'mount --bind "{self.settings.state / folder}" {path}')
        for path in IN_MEMORY:
            Path(path).mkdir(parents=True, exist_ok=True)
            lines.append(f"mount -t tmpfs -o mode=755 node {path}")
        lines += [
            "mount --make-rshared /",
            "ip link set lo up",
            "echo 1 >/proc/sys/net/ipv4/ip_forward",
            "echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables",
        ]
        self.inside("sh", "-c", "\n".join(lines))

    def _link(self) -> None:
        settings = self.settings
        prefix = settings.link_cidr.rpartition("/")[2]
        run(["ip", "link", "add", settings.name, "type", "veth", "peer", "name", "eth0", "netns", str(self.init)])
        run(["ip", "addr", "add", f"{settings.host_ip}/{prefix}", "dev", settings.name])
        run(["ip", "link", "set", settings.name, "up"])
        self.inside("ip", "addr", "add", f"{settings.node_ip}/{prefix}", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "up")
        # The kernel looks for a route before the firewall rewrites a Service's address; any will do.
        self.inside("ip", "route", "add", settings.service_cidr, "dev", "lo", "src", settings.node_ip)
        for network in (settings.service_cidr, settings.pod_cidr):
            run(["ip", "route", "add", network, "via", settings.node_ip])

    def destroy(self) -> None:
        """End the node and everything in it, and take back what it changed on the host.

        It may have been started half, be half dead or not be there at all.

        Raises:
            ClusterError: something cannot be removed.
        """
        settings = self.settings
        init = processes.node_init(settings.name)
        if init is not None:
            ending = processes.members(init)
            # The kernel ends all of a PID namespace with its PID 1, and mounts and devices with the last process.
            os.kill(init, signal.SIGKILL)
            until(lambda: not any(map(processes.alive, ending)), f"the end of the node's processes {ending}", 30)
        if has_link(settings.name):
            # The link may go by itself at any moment, with the other end's namespace; the routes go with it.
            run(["ip", "link", "delete", settings.name], check=False)
            until(lambda: not has_link(settings.name), f"the end of the link {settings.name}", 10)
        self._restore_sysctls()
        until(lambda: remove_cgroups(settings.name), f"the end of the cgroups {settings.name}", 10)

    def _note_sysctls(self) -> None:
        values = {name: (processes.PROC / "sys" / name).read_text().strip() for name in SYSCTLS}
        (self.settings.state / "sysctls.json").write_text(json.dumps(values))

    def _restore_sysctls(self) -> None:
        noted = self.settings.state / "sysctls.json"
        if noted.exists():
            for name, value in json.loads(noted.read_text()).items():
                (processes.PROC / "sys" / name).write_text(value)
            noted.unlink()


def has_link(name: str) -> bool:
    """Whether the host has a network interface of this name."""
    return Path("/sys/class/net", name).exists()


def hierarchies() -> list[Path]:
    """Where the cgroup hierarchies are mounted, version 1 and 2."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]


def make_cgroups(name: str) -> None:
    """Make the node's cgroup in every hierarchy: the kubelet wants its root to exist, and removes what it
    does not know below it, so no two kubelets may share one.
    """
    for root in hierarchies():
        (root / name).mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # a new cpuset of version 1 has none, and takes no process
            if (root / name / setting).exists():
                (root / name / setting).write_text((root / setting).read_text())


def remove_cgroups(name: str) -> bool:
    """Remove the node's cgroups, innermost first; False while one still has a process."""
    left = False
    for root in hierarchies():
        for folder, _, _ in os.walk(root / name, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:  # busy until its last process is collected: the caller asks again
                left = True
    return not left
