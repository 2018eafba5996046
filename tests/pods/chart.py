"""Releases of the chart on the cluster, and what their pods say."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.api import Cluster

CHART = Path(__file__).parent.parent.parent / "helm"
RELEASE = "sentiment"
CLAIM = "archives"


@dataclass
class Release:
    """One release in one namespace."""

    cluster: Cluster
    namespace: str
    image: str
    values: dict[str, Any]

    def kubectl(self, *args: str, **options: Any) -> str:
        return self.cluster.kubectl("-n", self.namespace, *args, **options)

    def upgrade(self, wait: bool = True, timeout: str = "180s", **more: Any) -> str:
        """Install or upgrade with the values, and ``more`` laid over them."""
        name, tag = self.image.rsplit(":", 1)
        # several pods share the two CPUs of a test node: they are promised little, and limited as in production
        small = {part: {"requests": {"cpu": "50m"}} for part in ("server", "agent", "front")}
        own = {"image": {"repository": name, "tag": tag, "pullPolicy": "Never"}, "defaults": {"resources": small}}
        self.values = {**own, **self.values, **more}
        waiting = ["--wait", "--timeout", timeout] if wait else []
        command = ["upgrade", "--install", RELEASE, str(CHART), "-n", self.namespace, "-f", "-", *waiting]
        return self.cluster.helm(*command, input=json.dumps(self.values))

    def helm_values(self) -> dict[str, Any]:
        """What the user gave to the revision in force."""
        found: dict[str, Any] = json.loads(
            self.cluster.helm("get", "values", RELEASE, "-n", self.namespace, "-o", "json")
        )
        return found

    def pods(self, *, running: bool = True) -> list[dict[str, Any]]:
        """Pods of the release, those apart that are about to end."""
        items = self.cluster.get("-n", self.namespace, "pods", "-l", f"app.kubernetes.io/instance={RELEASE}")["items"]
        return [p for p in items if not (running and p["metadata"].get("deletionTimestamp"))]

    def pod_ip(self) -> str:
        """Address of the one pod, once it has one."""
        return self.cluster.until(lambda: self.pods()[0]["status"].get("podIP"), "a pod with an address", 60)

    def url(self) -> str:
        """The release's own Service, by address: names are the cluster's."""
        services = self.cluster.get("-n", self.namespace, "services", "-l", f"app.kubernetes.io/instance={RELEASE}")
        main = min(services["items"], key=lambda s: len(s["metadata"]["name"]))
        return f"http://{main['spec']['clusterIP']}:8080"

    def python(self, pod: str, code: str, container: str = "server") -> str:
        """Run Python in a container."""
        return self.kubectl("exec", pod, "-c", container, "--", "/opt/marline/bin/python", "-c", code)


@contextmanager
def release(cluster: Cluster, image: str, archives: Path, values: dict[str, Any]) -> Iterator[Release]:
    """A namespace of its own with a volume of archives; nothing is installed yet."""
    with cluster.namespace("pods") as namespace:
        volume = f"{namespace}-archives"
        cluster.apply(_volume(volume, namespace, archives))
        try:
            yield Release(cluster, namespace, image, values)
        finally:
            # a namespace with pods in it looks at them again only after half of their grace period
            cluster.helm("uninstall", RELEASE, "-n", namespace, "--ignore-not-found", "--wait")
            cluster.kubectl("delete", "pv", volume, "--wait=false", check=False)


def _volume(name: str, namespace: str, directory: Path) -> str:
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **common,
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": str(directory)},
            "claimRef": {"namespace": namespace, "name": CLAIM},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": namespace},
        "spec": {**common, "volumeName": name, "resources": {"requests": {"storage": "1Gi"}}},
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [volume, claim]})


def ask(url: str, body: Any = None, timeout: float = 2.0) -> tuple[int, bytes]:
    """Status and body of one request; 0 and the reason where there was no answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()
