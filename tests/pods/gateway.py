"""A real Gateway on the cluster: Traefik, from its Go module, with the Gateway API's own definitions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.api import Cluster
from cluster.binaries import digest, module_of, source
from cluster.images import write_image
from cluster.settings import cache
from pods.monitoring import RESTRICTED, program

IMAGE = "marline.test/traefik:1"
CONTROLLER = "traefik.io/gateway-controller"
API = "gateway.networking.k8s.io"
RBAC = "rbac.authorization.k8s.io"
NAME = "public"
PORT, PROBES = 8000, 8081
KINDS = (
    "backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes", "httproutes", "listenersets", "referencegrants",
    "tcproutes", "tlsroutes",
)  # fmt: skip
READ = ["get", "list", "watch"]


@dataclass(frozen=True)
class Gateway:
    """A Gateway that takes routes of all namespaces.

    Attributes:
        namespace: its own.
        url: where it answers, from this machine.
    """

    namespace: str
    url: str

    @property
    def parent(self) -> dict[str, str]:
        """What a route says of it."""
        return {"name": NAME, "namespace": self.namespace}


def not_wanted() -> str | None:
    """Why there is no Gateway for these tests, or None: it takes minutes to build once."""
    built = (cache() / "bin" / digest(module_of("traefik"))).is_dir()
    if built or os.environ.get("MARLINE_TEST_SLOW") == "1":
        return None
    return "MARLINE_TEST_SLOW is not 1, and Traefik, which takes 10 minutes to build once, has not been built yet"


@contextmanager
def gateway(cluster: Cluster, folder: Path) -> Iterator[Gateway]:
    """Traefik and its Gateway in a namespace of their own; nothing of them stays.

    Args:
        cluster: where.
        folder: for the image, until it is on the cluster.
    """
    image = write_image(folder / "traefik.tar", IMAGE, {"/traefik": program("traefik")}, ["/traefik"])
    cluster.import_image(image)
    image.unlink()
    with definitions(cluster), cluster.namespace("gateway") as namespace:
        role = f"traefik-{namespace}"
        text = yaml.safe_dump_all(_objects(namespace, role))
        try:
            cluster.apply(text)
            cluster.kubectl("-n", namespace, "rollout", "status", "deployment/traefik", "--timeout=120s")
            cluster.kubectl("-n", namespace, "wait", "--for=condition=Programmed", f"gateway/{NAME}", "--timeout=60s")
            service = cluster.get("-n", namespace, "service", "traefik")
            yield Gateway(namespace, f"http://{service['spec']['clusterIP']}:{PORT}")
        finally:
            cluster.kubectl("delete", "-f", "-", "--ignore-not-found", "--timeout=120s", input=text)


@contextmanager
def definitions(cluster: Cluster) -> Iterator[None]:
    """The Gateway API's kinds; taken away again where the cluster had none."""
    if cluster.kubectl("get", "crd", f"gateways.{API}", "--ignore-not-found", "-o", "name"):
        yield
        return
    folder = source("traefik", "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    try:
        # too large for the annotation of a client-side apply
        cluster.kubectl("apply", "--server-side", "-f", folder)
        established = [f"crd/{kind}" for kind in _kinds(folder)]
        cluster.kubectl("wait", "--for=condition=Established", *established, "--timeout=60s")
        yield
    finally:
        cluster.kubectl("delete", "-f", folder, "--ignore-not-found", "--timeout=120s")


def _kinds(folder: Path) -> list[str]:
    documents = [item for path in sorted(folder.glob("*.yaml")) for item in yaml.safe_load_all(path.read_text("utf-8"))]
    return [item["metadata"]["name"] for item in documents if item and item["kind"] == "CustomResourceDefinition"]


def _objects(namespace: str, role: str) -> list[dict[str, Any]]:
    common = {"namespace": namespace, "name": "traefik"}
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "namespaces", "secrets", "services"], "verbs": READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READ},
        {"apiGroups": [API], "resources": list(KINDS), "verbs": READ},
        {"apiGroups": [API], "resources": [f"{kind}/status" for kind in KINDS], "verbs": ["update"]},
    ]
    listener = {
        "name": "http",
        "protocol": "HTTP",
        "port": PORT,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    ports = {"selector": {"app": "traefik"}, "ports": [{"port": PORT}]}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": common},
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", **common}],
        },
        _deployment(common),
        {"apiVersion": "v1", "kind": "Service", "metadata": common, "spec": ports},
        {
            "apiVersion": f"{API}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": role},
            "spec": {"controllerName": CONTROLLER},
        },
        {
            "apiVersion": f"{API}/v1",
            "kind": "Gateway",
            "metadata": {"namespace": namespace, "name": NAME},
            "spec": {"gatewayClassName": role, "listeners": [listener]},
        },
    ]


def _deployment(common: dict[str, str]) -> dict[str, Any]:
    arguments = [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        f"--entrypoints.http.address=:{PORT}",
        f"--entrypoints.probes.address=:{PROBES}",
        "--ping=true",
        "--ping.entrypoint=probes",
        "--providers.kubernetesgateway=true",
        # of changes that come together, the first is waited for this long
        "--providers.kubernetesgateway.throttleduration=100ms",
    ]
    container = {
        "name": "traefik",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": arguments,
        "securityContext": RESTRICTED,
        "resources": {"requests": {"cpu": "50m"}},
        "readinessProbe": {"httpGet": {"path": "/ping", "port": PROBES}, "periodSeconds": 1},
    }
    labels = {"app": "traefik"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"serviceAccountName": "traefik", "containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": common,
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
