"""A real Flagger on the cluster: its program, its own definitions and rights from its Go module."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from cluster.api import Cluster
from cluster.binaries import source
from cluster.images import write_image
from pods import gateway
from pods.monitoring import RESTRICTED, program

IMAGE = "marline.test/flagger:1"
MODULE = "github.com/fluxcd/flagger"
PORT = 8080


def not_wanted() -> str | None:
    """Why there is no Flagger for these tests, or None: they take five minutes, and it takes as long to build once."""
    if os.environ.get("MARLINE_TEST_SLOW") == "1":
        return gateway.not_wanted()
    return "MARLINE_TEST_SLOW is not 1"


@contextmanager
def flagger(cluster: Cluster, folder: Path, prometheus: str) -> Iterator[str]:
    """Flagger in a namespace of its own; nothing of it stays.

    Args:
        cluster: where.
        folder: for the image, until it is on the cluster.
        prometheus: address of one, for Flagger's own look whether there is any.

    Yields:
        The namespace.
    """
    image = write_image(folder / "flagger.tar", IMAGE, {"/flagger": program("flagger")}, ["/flagger"])
    cluster.import_image(image)
    image.unlink()
    artifacts = source("flagger", MODULE) / "artifacts" / "flagger"
    # too large for the annotation of a client-side apply
    cluster.kubectl("apply", "--server-side", "-f", artifacts / "crd.yaml")
    try:
        kinds = [f"crd/{kind}.flagger.app" for kind in ("canaries", "metrictemplates", "alertproviders")]
        cluster.kubectl("wait", "--for=condition=Established", *kinds, "--timeout=60s")
        with cluster.namespace("flagger") as namespace:
            text = yaml.safe_dump_all([*_rights(artifacts, namespace), _deployment(namespace, prometheus)])
            try:
                cluster.apply(text)
                cluster.kubectl("-n", namespace, "rollout", "status", "deployment/flagger", "--timeout=120s")
                yield namespace
            finally:
                cluster.kubectl("delete", "-f", "-", "--ignore-not-found", "--timeout=120s", input=text)
    finally:
        cluster.kubectl("delete", "-f", artifacts / "crd.yaml", "--ignore-not-found", "--timeout=120s")


def said(cluster: Cluster, namespace: str) -> list[str]:
    """What Flagger said of canaries. Its events are the same, but Kubernetes keeps a few of many."""
    lines = cluster.kubectl("-n", namespace, "logs", "deployment/flagger", "--tail=-1").splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    return [entry["msg"] for entry in entries if "canary" in entry]


def _rights(artifacts: Path, namespace: str) -> list[dict[str, Any]]:
    """The account and what it may, as Flagger's project gives them, under names of this namespace's own."""
    found = [item for item in yaml.safe_load_all((artifacts / "account.yaml").read_text("utf-8")) if item]
    for item in found:
        if item["kind"] == "ServiceAccount":
            item["metadata"]["namespace"] = namespace
            continue
        item["metadata"]["name"] = f"flagger-{namespace}"
        if item["kind"] == "ClusterRoleBinding":
            item["roleRef"]["name"] = f"flagger-{namespace}"
            item["subjects"][0]["namespace"] = namespace
    return found


def _deployment(namespace: str, prometheus: str) -> dict[str, Any]:
    container = {
        "name": "flagger",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-mesh-provider=gatewayapi:v1", f"-metrics-server={prometheus}", "-control-loop-interval=2s", "-log-level=info"],
        "securityContext": {**RESTRICTED, "runAsUser": 10001},
        "resources": {"requests": {"cpu": "20m"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
    }  # fmt: skip
    labels = {"app": "flagger"}
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": "flagger", "containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "flagger", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
