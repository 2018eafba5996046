"""The command line of each component."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cluster.settings import Settings

ETCD = "http://127.0.0.1:2379"


def flags(**given: object) -> list[str]:
    """``a_b=1`` as ``--a-b=1``."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]


def etcd(settings: Settings, hyperkube: Path) -> list[str]:
    """The store; a crash of the machine may lose what it holds, which no test outlives."""
    return [
        "etcd",
        "--unsafe-no-fsync",
        *flags(
            data_dir=settings.state / "etcd",
            listen_client_urls=ETCD,
            advertise_client_urls=ETCD,
            listen_peer_urls="http://127.0.0.1:2380",
        ),
    ]


def containerd(settings: Settings, hyperkube: Path) -> list[str]:
    """The container runtime."""
    return ["containerd", "--config", str(settings.conf / "containerd.toml")]


def apiserver(settings: Settings, hyperkube: Path) -> list[str]:
    """The API server: certificates only, ``Node,RBAC``, Pod Security as by default, aggregation on."""
    pki = settings.pki
    return [
        str(hyperkube),
        "kube-apiserver",
        *flags(
            etcd_servers=ETCD,
            bind_address=settings.node_ip,
            advertise_address=settings.node_ip,
            secure_port=6443,
            service_cluster_ip_range=settings.service_cidr,
            authorization_mode="Node,RBAC",
            enable_admission_plugins="NodeRestriction",
            client_ca_file=pki / "ca.crt",
            tls_cert_file=pki / "apiserver.crt",
            tls_private_key_file=pki / "apiserver.key",
            kubelet_certificate_authority=pki / "ca.crt",
            kubelet_client_certificate=pki / "apiserver-kubelet.crt",
            kubelet_client_key=pki / "apiserver-kubelet.key",
            kubelet_preferred_address_types="InternalIP",
            service_account_issuer="https://kubernetes.default.svc.cluster.local",
            service_account_key_file=pki / "tokens.pub",
            service_account_signing_key_file=pki / "tokens.key",
            requestheader_client_ca_file=pki / "front-proxy-ca.crt",
            requestheader_allowed_names="front-proxy-client",
            requestheader_username_headers="X-Remote-User",
            requestheader_group_headers="X-Remote-Group",
            requestheader_extra_headers_prefix="X-Remote-Extra-",
            proxy_client_cert_file=pki / "front-proxy-client.crt",
            proxy_client_key_file=pki / "front-proxy-client.key",
        ),
    ]


def controllers(settings: Settings, hyperkube: Path) -> list[str]:
    """The controllers; the autoscaler's waits are cut from minutes to seconds, its rules are the usual ones."""
    kubeconfig = settings.conf / "controller-manager.kubeconfig"
    return [
        str(hyperkube),
        "kube-controller-manager",
        *flags(
            kubeconfig=kubeconfig,
            authentication_kubeconfig=kubeconfig,
            authorization_kubeconfig=kubeconfig,
            bind_address="127.0.0.1",
            leader_elect="false",
            use_service_account_credentials="true",
            root_ca_file=settings.pki / "ca.crt",
            service_account_private_key_file=settings.pki / "tokens.key",
            cluster_signing_cert_file=settings.pki / "ca.crt",
            cluster_signing_key_file=settings.pki / "ca.key",
            flex_volume_plugin_dir="/var/lib/kubelet/volume-plugins",
            horizontal_pod_autoscaler_sync_period="5s",
            horizontal_pod_autoscaler_cpu_initialization_period="20s",
            horizontal_pod_autoscaler_initial_readiness_delay="10s",
        ),
    ]


def scheduler(settings: Settings, hyperkube: Path) -> list[str]:
    """The scheduler."""
    kubeconfig = settings.conf / "scheduler.kubeconfig"
    return [
        str(hyperkube),
        "kube-scheduler",
        *flags(
            kubeconfig=kubeconfig,
            authentication_kubeconfig=kubeconfig,
            authorization_kubeconfig=kubeconfig,
            bind_address="127.0.0.1",
            leader_elect="false",
        ),
    ]


def kubelet(settings: Settings, hyperkube: Path) -> list[str]:
    """The kubelet."""
    return [
        str(hyperkube),
        "kubelet",
        *flags(
            kubeconfig=settings.conf / "kubelet.kubeconfig",
            config=settings.conf / "kubelet.yaml",
            hostname_override=settings.node_name,
            node_ip=settings.node_ip,
        ),
    ]


def proxy(settings: Settings, hyperkube: Path) -> list[str]:
    """The Services' firewall rules."""
    return [
        str(hyperkube),
        "kube-proxy",
        *flags(config=settings.conf / "proxy.yaml", hostname_override=settings.node_name),
    ]


Command = Callable[[Settings, Path], list[str]]

# Started first, because what follows asks the API; then the rest, once it answers.
BASE: dict[str, Command] = {"etcd": etcd, "kube-apiserver": apiserver, "containerd": containerd}
REST: dict[str, Command] = {
    "kube-controller-manager": controllers,
    "kube-scheduler": scheduler,
    "kubelet": kubelet,
    "kube-proxy": proxy,
}
NAMES = [*BASE, *REST]
