"""A running cluster as the tests use it, through kubectl and Helm on this machine."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from cluster.binaries import binary
from cluster.commands import SYSTEM_PATH, run, which
from cluster.containers import import_archive
from cluster.errors import ClusterError, CommandError
from cluster.settings import Settings
from cluster.waiting import until

T = TypeVar("T")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


class Cluster:
    """A cluster by its kubeconfig: the one started here, or one of the user's own.

    Attributes:
        kubeconfig: who asks and whom.
        settings: the node's addresses and folders; None for a cluster of the user's own.
    """

    def __init__(self, kubeconfig: str | Path, settings: Settings | None) -> None:
        self.kubeconfig = str(kubeconfig)
        self.settings = settings
        self._tools: dict[str, str] = {}

    @classmethod
    def of_node(cls, settings: Settings) -> Cluster:
        """The cluster that ``up`` starts with these settings."""
        return cls(settings.kubeconfig, settings)

    def tool(self, name: str) -> str:
        """The path of kubectl or helm: built here; for a cluster of the user's own rather what the user has."""
        if name not in self._tools:
            installed = which(name) if self.settings is None else None
            self._tools[name] = installed or str(binary(name))
        return self._tools[name]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of kubectl and Helm: no proxy, and no file in the user's home."""
        given = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        own = {"PATH": SYSTEM_PATH, "KUBECONFIG": self.kubeconfig}
        if self.settings is None:
            return dict(os.environ) | own
        for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR"):
            own[name] = str(self.settings.state / "tools" / name.lower())
        return given | own

    def kubectl(self, *args: str | Path, input: str | None = None, check: bool = True, timeout: float = 300) -> str:
        """Run kubectl and return what it printed.

        Args:
            args: its arguments.
            input: its standard input (for ``-f -``).
            check: raise when it fails; otherwise the answer is standard output followed by standard error.
            timeout: seconds.

        Raises:
            CommandError: it failed; ``output`` has what it said.
        """
        return run([self.tool("kubectl"), *args], text=input, check=check, timeout=timeout, env=self.environment)

    def helm(self, *args: str | Path, input: str | None = None, check: bool = True, timeout: float = 300) -> str:
        """Run Helm and return what it printed; arguments and errors as for :meth:`kubectl`."""
        return run([self.tool("helm"), *args], text=input, check=check, timeout=timeout, env=self.environment)

    def get(self, *args: str | Path) -> Any:
        """``kubectl get ... -o json``, read."""
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def apply(self, manifest: str, *args: str) -> str:
        """``kubectl apply`` of a manifest."""
        return self.kubectl("apply", "-f", "-", *args, input=manifest)

    def import_image(self, archive: Path) -> None:
        """Put the images of a docker or OCI archive on the node, under the names they have in it.

        Raises:
            ClusterError: a cluster of the user's own, and ``CLUSTER_IMPORT`` does not say how.
        """
        if self.settings is not None:
            import_archive(self.settings, archive)
            return
        command = os.environ.get("CLUSTER_IMPORT")
        if not command:
            raise ClusterError(
                "KUBECONFIG is set, so the images must be brought to that cluster's nodes: set CLUSTER_IMPORT to"
                " the command that does it, such as 'kind load image-archive' (the archive's path is appended)"
            )
        run([*shlex.split(command), archive], timeout=1200)

    @contextmanager
    def namespace(self, prefix: str = "test", *, wait: bool = True) -> Iterator[str]:
        """A namespace that admits only ``restricted`` pods, deleted afterwards.

        Args:
            prefix: its name's beginning; the end is random.
            wait: until it is gone, and its pods with it.
        """
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.kubectl("create", "namespace", name)
        try:
            self.kubectl("label", "namespace", name, RESTRICTED)
            # a pod is refused until the account it runs under exists
            self.until(
                lambda: self.kubectl("-n", name, "get", "serviceaccount", "default"),
                f"the service account of {name}",
                60,
            )
            yield name
        finally:
            self.kubectl("delete", "namespace", name, f"--wait={str(wait).lower()}", "--timeout=180s")

    def until(self, condition: Callable[[], T], what: str, timeout: float, *, interval: float = 0.2) -> T:
        """:func:`cluster.waiting.until`."""
        return until(condition, what, timeout, interval=interval)

    def holds(self, *args: str) -> bool:
        """Whether ``kubectl wait`` finds the condition true now."""
        try:
            self.kubectl("wait", *args, "--timeout=0")
        except CommandError:
            return False
        return True
