"""A real Prometheus and a real KEDA on the cluster, from programs and manifests of their Go modules."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.api import Cluster
from cluster.binaries import binary, source
from cluster.errors import ClusterError
from cluster.images import write_image
from pods import chart

PROMETHEUS = "marline.test/prometheus:1"
KEDA = "keda"
# of KEDA's manifests -> program, and its path in the image
KEDA_IMAGES = {
    "ghcr.io/kedacore/keda": ("keda-operator", "/keda"),
    "ghcr.io/kedacore/keda-metrics-apiserver": ("keda-adapter", "/keda-adapter"),
}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# what the API server gives every pod
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# as the Prometheus Operator does for a PodMonitor
LABELS = [
    {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": "agent", "action": "keep"},
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    {"source_labels": ["__meta_kubernetes_pod_container_name"], "target_label": "container"},
    {"target_label": "endpoint", "replacement": "agent"},
]
PODS = {"kubernetes_sd_configs": [{"role": "pod"}], "relabel_configs": LABELS}
SCRAPING = {
    "global": {"scrape_interval": "1s"},
    "scrape_configs": [
        {"job_name": "pods", **PODS},
        {"job_name": "fronts", "metrics_path": "/metrics/front", "scrape_interval": "2s", **PODS},
        {
            "job_name": "kubelets",
            "metrics_path": "/metrics/cadvisor",
            # the kubelet looks at its containers every 10 s or so
            "scrape_interval": "5s",
            "scheme": "https",
            "authorization": {"credentials_file": f"{ACCOUNT}/token"},
            # in many clusters a kubelet signs its certificate itself
            "tls_config": {"insecure_skip_verify": True},
            "kubernetes_sd_configs": [{"role": "node"}],
            "metric_relabel_configs": [
                {"source_labels": ["__name__"], "regex": "container_cpu_usage_seconds_total", "action": "keep"}
            ],
        },
    ],
}


def program(name: str) -> Path:
    """A program that tests/cluster builds; else skip."""
    try:
        return binary(name)
    except ClusterError as error:
        pytest.skip(f"no {name}: {error}")


@contextmanager
def prometheus(cluster: Cluster, folder: Path) -> Iterator[str]:
    """Prometheus that scrapes every pod with a port named `agent`, its front, and the kubelets; its address."""
    image = write_image(folder / "prometheus.tar", PROMETHEUS, {"/prometheus": program("prometheus")}, ["/prometheus"])
    cluster.import_image(image)
    image.unlink()
    with cluster.namespace("monitoring") as namespace:
        role = f"prometheus-{namespace}"
        cluster.apply(yaml.safe_dump_all(_objects(namespace, role)))
        try:
            cluster.kubectl("-n", namespace, "rollout", "status", "deployment/prometheus", "--timeout=120s")
            service = cluster.get("-n", namespace, "service", "prometheus")
            yield f"http://{service['spec']['clusterIP']}:9090"
        finally:
            cluster.kubectl("delete", f"clusterrole/{role}", f"clusterrolebinding/{role}", "--wait=false")


def value(address: str, query: str) -> float | None:
    """The one value of an instant query; None where there is no series."""
    status, text = chart.ask(f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    found = json.loads(text)["data"]["result"] if status == 200 else []
    return float(found[0]["value"][1]) if found else None


def _objects(namespace: str, role: str) -> list[dict[str, Any]]:
    common = {"namespace": namespace, "name": "prometheus"}
    rules = [
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    ]
    arguments = ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"]
    container = {
        "name": "prometheus",
        "image": PROMETHEUS,
        "imagePullPolicy": "Never",
        "args": arguments,
        "securityContext": RESTRICTED,
        "resources": {"requests": {"cpu": "50m"}},
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/prometheus"}, {"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "serviceAccountName": "prometheus",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "prometheus"}}, {"name": "data", "emptyDir": {}}],
    }
    labels = {"app": "prometheus"}
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": common},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", **common}],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": common, "data": {"prometheus.yml": json.dumps(SCRAPING)}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": common,
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": common,
            "spec": {"selector": labels, "ports": [{"port": 9090}]},
        },
    ]


@contextmanager
def keda(cluster: Cluster, folder: Path) -> Iterator[None]:
    """KEDA's operator and metrics adapter, from its own manifests with images made here."""
    images = {}
    for name, (built, path) in KEDA_IMAGES.items():
        images[name] = f"marline.test/{built}:1"
        archive = write_image(folder / f"{built}.tar", images[name], {path: program(built)}, [path])
        cluster.import_image(archive)
        archive.unlink()
    manifests = cluster.kubectl(
        "kustomize", source("keda-operator", "github.com/kedacore/keda/v2") / "config" / "minimal"
    )
    objects = [item for item in yaml.safe_load_all(manifests) if item]
    for item in objects:
        if item["kind"] == "Deployment":
            (container,) = item["spec"]["template"]["spec"]["containers"]
            container["image"] = images[container["image"].rsplit(":", 1)[0]]
            container["imagePullPolicy"] = "Never"
            container["resources"]["requests"]["cpu"] = "20m"
    text = yaml.safe_dump_all(objects)
    # too large for the annotation of a client-side apply
    cluster.kubectl("apply", "--server-side", "-f", "-", input=text)
    try:
        cluster.kubectl(
            "wait", "--for=condition=Available", "apiservice/v1beta1.external.metrics.k8s.io", "--timeout=180s"
        )
        yield
    finally:
        cluster.kubectl("delete", "-f", "-", "--ignore-not-found", "--timeout=120s", input=text)
