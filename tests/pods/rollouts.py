"""Releases as files, rolled out by the command line, on a cluster with a real Gateway and a real Prometheus."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from marline.rollout.facts import Facts
from marline.rollout.lock import write_lock
from marline.spec.release import lock_path
from pods import chart
from pods.archives import Archive
from pods.chart import CLAIM, RELEASE, Release

ROOT = Path(__file__).parent.parent.parent
SMALL = {"cpu_request": 0.05}
TIMEOUT_S = 600


@dataclass
class Shipped:
    """A release file, its lock, and the release in the cluster.

    Attributes:
        release: in the cluster.
        path: the release file.
        image: of the rollout's Job.
        rollout: the file's section ``rollout``.
        routes: the file's section ``routes``.
    """

    release: Release
    path: Path
    image: str
    rollout: dict[str, Any]
    routes: dict[str, Any]

    def write(self, endpoints: dict[str, tuple[Archive, int]], primary: str, **rollout: Any) -> None:
        """The release file: endpoint to archive and weight."""
        repository, tag = self.release.image.rsplit(":", 1)
        job_repository, job_tag = self.image.rsplit(":", 1)
        document = {
            "release": RELEASE,
            "namespace": self.release.namespace,
            "image": {"repository": repository, "tag": tag, "pull_policy": "Never"},
            "primary": primary,
            "variants": {name: _endpoint(archive, weight) for name, (archive, weight) in endpoints.items()},
            "routes": self.routes,
            "rollout": {
                "image": {"repository": job_repository, "tag": job_tag, "pull_policy": "Never"},
                **self.rollout,
                **rollout,
            },
        }
        self.path.write_text(json.dumps(document))
        write_lock(lock_path(self.path), {name: _facts(archive) for name, (archive, _) in endpoints.items()})

    def install(self) -> None:
        """The release file's values by Helm."""
        values = self.marline("release", str(self.path)).stdout
        command = ["upgrade", "--install", RELEASE, str(chart.CHART), "-n", self.release.namespace, "-f", "-"]
        self.release.cluster.helm(*command, "--wait", "--timeout", "180s", input=values)

    def marline(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command line, as a person at a terminal."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("marline")), *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def verb(self, name: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A verb of `marline rollout`."""
        helm = (
            ["--helm", self.release.cluster.tool("helm")] if name in ("start", "abort", "promote", "step", "ab") else []
        )
        return self.marline("rollout", name, str(self.path), *helm, *options, check=check)

    @property
    def environment(self) -> dict[str, str]:
        """Of a terminal that knows the cluster and has no store."""
        own = {"KUBECONFIG": self.release.cluster.kubeconfig, "MARLINE_STORE": str(self.path.parent / "no-store")}
        return os.environ | own

    def record(self) -> dict[str, Any]:
        """Of the last rollout, as its ConfigMap has it: the command line takes a second of CPU to say the same."""
        found = self.release.cluster.get("-n", self.release.namespace, "configmap", f"{RELEASE}-marline-rollout")
        record: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found["binaryData"]["record"])))
        return record

    def order(self, verb: str) -> None:
        """What a verb writes, without waiting for what becomes of it."""
        order = {"verb": verb, "by": "test@here", "at": time.time(), "rollout": self.record()["id"]}
        patch = json.dumps({"data": {"order": json.dumps(order)}})
        self.release.kubectl("patch", "configmap", f"{RELEASE}-marline-rollout", "--type=merge", f"--patch={patch}")

    def over(self, seconds: float = 300) -> dict[str, Any]:
        """The record, once the rollout is over."""
        try:
            until = self.release.cluster.until
            return until(
                lambda: (record := self.record())["ended"] and record, "the end of the rollout", seconds, interval=1
            )
        except ClusterError as error:
            log = self.release.kubectl("logs", "-l", "app.kubernetes.io/component=rollout", "--tail=50", check=False)
            pods = self.release.kubectl("get", "pods,jobs", "-o", "wide", check=False)
            raise ClusterError(f"{error}\n{log}\n{pods}\n{self.record()}") from error

    def weights(self) -> dict[str, int]:
        """What the cluster's HTTPRoute says."""
        route = self.release.cluster.get(
            "-n", self.release.namespace, "httproutes.gateway.networking.k8s.io", f"{RELEASE}-marline"
        )
        backends = route["spec"]["rules"][-1]["backendRefs"]
        return {backend["name"].removeprefix(f"{RELEASE}-marline-"): backend["weight"] for backend in backends}


@contextmanager
def shipped(
    release: Release, folder: Path, image: str, parent: dict[str, str], rollout: dict[str, Any]
) -> Iterator[Shipped]:
    """A release of which nothing is installed yet."""
    found = Shipped(release, folder / f"{release.namespace}.yaml", image, rollout, {"parent_refs": [parent]})
    yield found
    names = ["job", "configmap", "lease", "role", "rolebinding", "serviceaccount"]
    release.kubectl("delete", ",".join(names), "-l", "app.kubernetes.io/component=rollout", "--ignore-not-found")


def _endpoint(archive: Archive, weight: int) -> dict[str, Any]:
    return {
        "model": archive.model,
        "version": archive.version,
        "variant": archive.variant,
        "weight": weight,
        "replicas": 1,
        "cpu_features": [],
        "archive": {"kind": "pvc", "claim": CLAIM, "path": f"/archives/{archive.path.name}"},
        "resources": {"server": SMALL, "agent": SMALL, "front": SMALL},
    }


def _facts(archive: Archive) -> Facts:
    return Facts(
        model=archive.model,
        version=archive.version,
        variant=archive.variant,
        sha256=archive.sha256,
        size_bytes=archive.path.stat().st_size,
        format="onnx",
        cpu_flags=[],
        example=None,
        measured=None,
    )
