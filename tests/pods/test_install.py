"""`helm install` to the first right answer, and what of a pod can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Cluster
from pods import chart
from pods.archives import Archive
from pods.chart import CLAIM, Release, ask
from pods.load import QUESTIONS, wrong


@pytest.fixture(scope="module")
def installed(cluster: Cluster, image: str, folder: Path, v1: Archive) -> Iterator[Release]:
    # the archive of the image itself: no volume is needed
    variant = {**v1.values(CLAIM), "archive": {"source": "image", "sha256": v1.sha256}}
    with chart.release(cluster, image, folder, {"variants": {"stable": variant}}) as release:
        release.upgrade()
        yield release


def test_a_release_answers_through_its_service(installed: Release) -> None:
    text, label = QUESTIONS[0]
    status, answer = ask(f"{installed.url()}/predictions/sentiment", {"text": text})
    assert not wrong(status, answer, label)
    print(f"\nhelm install to ready, by stage: {stages(installed)}")


def stages(release: Release) -> str:
    """Seconds from the pod's creation to each container's start and to Ready."""
    pod = release.pods()[0]
    created = moment(pod["metadata"]["creationTimestamp"])
    statuses = [*pod["status"].get("initContainerStatuses", []), *pod["status"]["containerStatuses"]]
    found = {s["name"]: s["state"]["running"]["startedAt"] for s in statuses if "running" in s["state"]}
    found["ready"] = next(c["lastTransitionTime"] for c in pod["status"]["conditions"] if c["type"] == "Ready")
    return ", ".join(f"{name} {(moment(when) - created).seconds} s" for name, when in found.items())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "path", ["/variants/stable/predictions/sentiment", "/invocations/sentiment/stable", "/invocations"]
)
def test_variant_paths_need_no_gateway(installed: Release, path: str) -> None:
    text, label = QUESTIONS[1]
    status, answer = ask(f"{installed.url()}{path}", {"text": text})
    assert not wrong(status, answer, label)


@pytest.mark.parametrize("path", ["/models", "/models/sentiment", "/metrics", "/ping/x", "/", "/api-description"])
def test_nothing_else_passes(installed: Release, path: str) -> None:
    assert ask(f"{installed.url()}{path}")[0] == 404


def test_helm_test_asks_golden_requests(installed: Release) -> None:
    said = installed.cluster.helm("test", chart.RELEASE, "-n", installed.namespace, "--logs", "--timeout", "60s")
    assert re.search(r"\d+ golden requests answered rightly", said), said


def test_another_pod_reaches_two_ports_and_no_more(installed: Release, probe_image: str) -> None:
    ports = scan(installed, probe_image, installed.pod_ip())
    assert ports == [8080, 8083]


def scan(release: Release, probe_image: str, address: str) -> list[int]:
    """Open TCP ports of an address, as another pod of the namespace finds them."""
    secured: dict[str, Any] = {
        "allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 10001,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    container = {
        "name": "scan", "image": probe_image, "imagePullPolicy": "Never",
        "args": ["scan", address, "1", "65535"], "securityContext": secured,
    }  # fmt: skip
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "scan", "namespace": release.namespace},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }  # fmt: skip
    import json

    release.cluster.apply(json.dumps(pod))
    phase = ("-o", "jsonpath={.status.phase}")
    release.cluster.until(lambda: release.kubectl("get", "pod", "scan", *phase) == "Succeeded", "the scan's end", 120)
    return [int(line) for line in release.kubectl("logs", "scan").split() if line.isdigit()]


def test_metrics_name_the_real_version(installed: Release, v1: Archive) -> None:
    status, text = ask(f"http://{installed.pod_ip()}:8083/metrics")
    assert status == 200
    labels = f'marline_endpoint="stable",model="sentiment",variant="{v1.variant}",version="{v1.version}"'
    assert f"marline_ready_workers{{{labels}}} 1.0" in text.decode()
    for path, name in (("front", "envoy_cluster_upstream_rq_total"), ("server", "ts_inference_requests_total")):
        status, text = ask(f"http://{installed.pod_ip()}:8083/metrics/{path}")
        assert status == 200
        assert name in text.decode()
