"""Where the cluster lives: its folder, names and addresses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError

MOST = 100


def cache() -> Path:
    """The folder of everything that is costly to make again: ``MARLINE_CACHE``, else ``~/.cache/marline``."""
    return Path(os.environ.get("MARLINE_CACHE") or Path.home() / ".cache" / "marline")


@dataclass(frozen=True)
class Settings:
    """One cluster of this machine. Clusters with different indexes run side by side.

    Attributes:
        index: 0 to 99; every name and address follows from it.
        state: the folder with its whole state; ``down`` removes all of it but the logs.
    """

    index: int
    state: Path

    @classmethod
    def of(cls, index: int) -> Settings:
        """The cluster with this index, its state in the cache."""
        if not 0 <= index < MOST:
            raise ClusterError(f"CLUSTER_INDEX={index}: the index of a cluster is 0 to {MOST - 1}")
        return cls(index, cache() / (f"cluster-{index}" if index else "cluster"))

    @classmethod
    def from_environment(cls) -> Settings:
        """The cluster that ``CLUSTER_INDEX`` chooses (0 when it is not set)."""
        given = os.environ.get("CLUSTER_INDEX") or "0"
        if not given.isdecimal():
            raise ClusterError(f"CLUSTER_INDEX={given!r}: the index of a cluster is a number from 0 to {MOST - 1}")
        return cls.of(int(given))

    @property
    def name(self) -> str:
        """The name of the link on the host, of the cgroup, and in the argument of the node's PID 1."""
        return f"marline{self.index}"

    @property
    def node_name(self) -> str:
        """The node's name in Kubernetes."""
        return f"{self.name}-node"

    @property
    def link_cidr(self) -> str:
        """The link between host and node."""
        return f"10.245.{self.index}.0/30"

    @property
    def host_ip(self) -> str:
        """The host, as the node and its pods see it."""
        return f"10.245.{self.index}.1"

    @property
    def node_ip(self) -> str:
        """The node, as the host and the pods see it."""
        return f"10.245.{self.index}.2"

    @property
    def pod_cidr(self) -> str:
        """The pods' addresses."""
        return f"10.244.{self.index}.0/24"

    @property
    def pod_gateway(self) -> str:
        """The node's address on the pods' bridge."""
        return f"10.244.{self.index}.1"

    @property
    def service_cidr(self) -> str:
        """The Services' addresses."""
        return f"10.{96 + self.index}.0.0/16"

    @property
    def service_ip(self) -> str:
        """The address of the Service ``kubernetes``: the first of the range."""
        return f"10.{96 + self.index}.0.1"

    @property
    def dns_ip(self) -> str:
        """The address of the cluster's DNS."""
        return f"10.{96 + self.index}.0.10"

    @property
    def api(self) -> str:
        """The API server's address."""
        return f"https://{self.node_ip}:6443"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def conf(self) -> Path:
        """Configuration and kubeconfigs of the components."""
        return self.state / "conf"

    @property
    def logs(self) -> Path:
        """One log for each component; kept by ``down``, so that a failure can be understood."""
        return self.state / "logs"

    @property
    def names(self) -> dict[str, str]:
        """What ``$NAME`` in config/ and manifests/ stands for."""
        return {
            "CGROUP": self.name,
            "CNI_PLUGINS": "/usr/lib/cni",
            "CONF": str(self.conf),
            "CONTAINERD_SOCKET": CONTAINERD_SOCKET,
            "DNS_IP": self.dns_ip,
            "LINK_CIDR": self.link_cidr,
            "NODE_IP": self.node_ip,
            "PKI": str(self.pki),
            "POD_CIDR": self.pod_cidr,
            "POD_GATEWAY": self.pod_gateway,
            "SERVICE_CIDR": self.service_cidr,
            "STATE": str(self.state),
        }


# In the node's own /run: a socket's path may have 107 bytes, which a folder of the user's choice may exceed.
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
