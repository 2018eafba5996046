"""Up and down: both may be said twice, and whatever an interrupted one left is cleaned up by the next."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import TypeVar

from cluster import certificates, components, containers, machine
from cluster.api import Cluster
from cluster.binaries import binary, exclusive, module_of, version
from cluster.errors import ClusterError
from cluster.health import lasting_problems, problems
from cluster.node import Node, has_link
from cluster.processes import node_init
from cluster.settings import Settings
from cluster.waiting import until

HERE = Path(__file__).parent
T = TypeVar("T")


def up(settings: Settings) -> None:
    """Start the cluster and wait until all of it works; one that runs and is healthy is left as it is.

    Raises:
        ClusterError: it cannot be started here, or did not come up; nothing is left running then.
    """
    with locked(settings):
        if node_init(settings.name) is not None:
            found = lasting_problems(settings)
            if not found:
                print(f"already up: KUBECONFIG={settings.kubeconfig}")
                return
            print(f"the node {settings.name} is up but not healthy ({'; '.join(found)}): starting it anew", flush=True)
        kubernetes = version(module_of("hyperkube"), "k8s.io/kubernetes")
        print(
            f"starting Kubernetes {kubernetes}: one node in namespaces of its own, link {settings.name}"
            f" ({settings.link_cidr}), state in {settings.state}",
            flush=True,
        )
        machine.prepare(settings)
        binary("hyperkube")
        clean(settings)
        try:
            Start(settings).all()
        except BaseException:  # an interrupt as well must leave no half of a node behind
            clean(settings)
            raise


def down(settings: Settings) -> None:
    """End the cluster and remove all it left but its logs; nothing happens when there is none.

    Raises:
        ClusterError: something cannot be removed.
    """
    with locked(settings):
        if os.geteuid() != 0 and (node_init(settings.name) or has_link(settings.name)):
            raise ClusterError(f"the node {settings.name} is root's; run as root to end it")
        running = node_init(settings.name) is not None
        started = time.monotonic()
        clean(settings)
        print(f"down after {time.monotonic() - started:.1f} s" if running else "already down")


def clean(settings: Settings) -> None:
    """End the node, if there is one, and remove its state, if there is any, but the logs."""
    if node_init(settings.name) or has_link(settings.name) or settings.state.is_dir():
        Node(settings).destroy()
    if settings.state.is_dir():
        for path in settings.state.iterdir():
            if path.is_dir() and not path.is_symlink():
                if path != settings.logs:
                    shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """One ``up`` or ``down`` of a cluster at a time."""
    settings.state.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(settings.state.with_name(f"{settings.state.name}.lock")):
        yield


class Start:
    """One start, stage by stage."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.node = Node(settings)
        self.cluster = Cluster.of_node(settings)
        self.begun = time.monotonic()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def all(self) -> None:
        """Every stage in order."""
        shutil.rmtree(self.settings.logs, ignore_errors=True)
        self.configure()
        self.say("certificates and configuration")
        self.node.create(binary("pause"))
        self.say("namespaces, link, cgroups")
        self.launch(components.BASE)
        self.wait(lambda: self.node.inside(*containers.CTR, "version"), "containerd answers", 60)
        containers.import_own(self.settings)
        self.say("images imported")
        self.wait(lambda: self.cluster.kubectl("get", "--raw", "/readyz"), "the API server is ready", 120)
        self.launch(components.REST)
        for name in ("dns.yaml", "metrics-server.yaml"):
            self.cluster.apply(self.rendered(HERE / "manifests" / name))
        self.holds("the node is ready", 90, "--for=condition=Ready", f"node/{self.settings.node_name}")
        self.wait(lambda: self.cluster.get("serviceaccount", "default"), "the default service account exists", 60)
        self.holds("DNS answers", 60, "--for=condition=Available", "--namespace=kube-system", "deployment/coredns")
        self.holds("metrics are served", 120, "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io")
        self.wait(lambda: not problems(self.settings), "everything works", 60)
        print(f"up: KUBECONFIG={self.settings.kubeconfig}")

    def configure(self) -> None:
        """Write certificates, kubeconfigs and configuration."""
        settings = self.settings
        for folder in (settings.conf, settings.pki, settings.logs):
            folder.mkdir(parents=True, exist_ok=True)
        certificates.write_all(settings)
        (settings.conf / "resolv.conf").write_text("")  # the node knows no other DNS
        for name in ("containerd.toml", "kubelet.yaml", "proxy.yaml"):
            (settings.conf / name).write_text(self.rendered(HERE / "config" / name))
        (settings.state / "cni").mkdir()
        (settings.state / "cni" / "10-pods.conflist").write_text(self.rendered(HERE / "config" / "pods.conflist"))

    def rendered(self, path: Path) -> str:
        """A template with each ``$NAME`` replaced; one that is not known is an error."""
        return Template(path.read_text()).substitute(self.settings.names)

    def launch(self, commands: dict[str, components.Command]) -> None:
        """Start components, without waiting for them."""
        for name, command in commands.items():
            self.running[name] = self.node.start(name, command(self.settings, binary("hyperkube")))

    def holds(self, what: str, timeout: float, *args: str) -> None:
        """Await a condition of an object."""
        self.wait(lambda: self.cluster.holds(*args), what, timeout)

    def wait(self, condition: Callable[[], T], what: str, timeout: float) -> None:
        """Await a stage; a component that has ended ends the wait."""

        def asked() -> T:
            self.refuse_ended()
            return condition()

        until(asked, f"{what} (logs in {self.settings.logs})", timeout)
        self.say(what)

    def refuse_ended(self) -> None:
        """Raise when a component has ended: none does by itself."""
        for name, process in self.running.items():
            if process.poll() is not None:
                log = self.settings.logs / f"{name}.log"
                lines = log.read_text(errors="replace").strip().splitlines()[-3:]
                raise ClusterError(
                    f"{name} ended with exit code {process.returncode}; the end of {log}: {' | '.join(lines)}"
                )

    def say(self, what: str) -> None:
        """One line with the seconds since the start."""
        print(f"{time.monotonic() - self.begun:6.1f} s  {what}", flush=True)
