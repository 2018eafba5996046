"""Archives over HTTP and from an object store: pods that fetch their own, and one that gets the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.source import Source, cut_after
from cluster.api import Cluster
from pods import chart, sources
from pods.archives import Archive
from pods.chart import Release, ask
from pods.load import QUESTIONS, wrong
from pods.sources import BUCKET, ObjectStore

KEY = "sentiment/1.0.0/model.mar"
SECRET = "store"
NO_FILE = "0" * 64


@dataclass(frozen=True)
class Delivered:
    """A release with one endpoint for each way, and where its archives come from."""

    release: Release
    web: Source
    urls: dict[str, str]

    def pod(self, endpoint: str) -> dict[str, Any]:
        """The one pod of an endpoint."""
        (found,) = [p for p in self.release.pods() if p["metadata"]["labels"]["marline.dev/endpoint"] == endpoint]
        return found

    def container(self, endpoint: str, name: str) -> dict[str, Any]:
        """Status of a container."""
        found = self.pod(endpoint)["status"].get("initContainerStatuses", [])
        return next((status for status in found if status["name"] == name), {})

    def until_ready(self, endpoint: str) -> None:
        chosen = f"pod/{self.pod(endpoint)['metadata']['name']}"
        self.release.kubectl("wait", "--for=condition=Ready", chosen, "--timeout=150s")

    def log(self, endpoint: str) -> str:
        """What the fetch said."""
        return self.release.kubectl("logs", self.pod(endpoint)["metadata"]["name"], "-c", "fetch")

    def answers_rightly(self, endpoint: str) -> bool:
        """Whether the endpoint's Service does: it knows a ready pod up to a second later."""
        said = [
            wrong(*ask(f"{self.service(endpoint)}/predictions/sentiment", {"text": text}, timeout=10), label)
            for text, label in QUESTIONS
        ]
        return said == [""] * len(QUESTIONS)

    def service(self, endpoint: str) -> str:
        services = self.release.cluster.get(
            "-n", self.release.namespace, "services", "-l", f"marline.dev/endpoint={endpoint}"
        )
        (found,) = services["items"]
        return f"http://{found['spec']['clusterIP']}:8080"


@pytest.fixture(scope="session")
def address(cluster: Cluster) -> str:
    """This machine's, as pods reach it."""
    if cluster.settings is None:
        pytest.skip("no archive can be fetched: KUBECONFIG's pods are not known to reach a server of this machine")
    return cluster.settings.host_ip


@pytest.fixture(scope="module")
def store(address: str, v1: Archive) -> Iterator[ObjectStore]:
    with sources.object_store(address, {KEY: v1.path.read_bytes()}) as made:
        yield made


@pytest.fixture(scope="module")
def delivered(
    cluster: Cluster, address: str, image: str, folder: Path, v1: Archive, store: ObjectStore
) -> Iterator[Delivered]:
    """All at once, because most of the time is one model's loading."""
    content = v1.path.read_bytes()
    with sources.web(address, content) as (web, root), sources.web(address, content) as (_, other):
        web.faults = [cut_after(len(content) // 3), cut_after(len(content) // 3)]
        urls = {"http": f"{root}/model.mar", "s3": f"s3://{BUCKET}/{KEY}", "wrong": f"{other}/model.mar"}
        variants = {name: variant(v1, url) for name, url in urls.items()}
        variants["http"]["weight"] = 100
        variants["s3"]["archive"]["envFrom"] = [{"secretRef": {"name": SECRET}}]
        # another version: one version never has two digests
        variants["wrong"] |= {"version": "1.0.1"}
        variants["wrong"]["archive"]["sha256"] = NO_FILE
        with chart.release(cluster, image, folder, {"variants": variants, "primary": "http"}) as release:
            release.cluster.apply(store.secret_manifest(SECRET), "-n", release.namespace)
            release.upgrade(wait=False)
            yield Delivered(release, web, urls)
            # a namespace looks for the end of its pods again only after half of their grace period
            release.cluster.helm("uninstall", chart.RELEASE, "-n", release.namespace, "--wait", "--timeout", "90s")
            release.cluster.until(lambda: not release.pods(running=False), "no pod left", 90)


def variant(archive: Archive, url: str) -> dict[str, Any]:
    """The chart's values of a variant that fetches its archive."""
    source = {"source": "url", "url": url, "sha256": archive.sha256}
    return {
        "model": archive.model,
        "version": archive.version,
        "variant": archive.variant,
        "archive": source,
        "weight": 0,
    }


def test_a_download_that_breaks_off_twice_goes_on_where_it_was(delivered: Delivered, v1: Archive) -> None:
    delivered.until_ready("http")
    first, second, third = delivered.web.offsets
    size = v1.path.stat().st_size
    assert first == 0 < second < third < size
    status = delivered.container("http", "fetch")
    assert status["restartCount"] == 0
    assert f"{size} bytes from {delivered.urls['http']} in " in delivered.log("http")
    delivered.release.cluster.until(lambda: delivered.answers_rightly("http"), "right answers", 30)


def test_an_object_store_is_asked_with_the_credentials_of_a_secret(delivered: Delivered) -> None:
    delivered.until_ready("s3")
    assert f"bytes from {delivered.urls['s3']} in " in delivered.log("s3")
    delivered.release.cluster.until(lambda: delivered.answers_rightly("s3"), "right answers", 30)
    # they are the fetch's alone
    assert has_key(delivered, "fetch") and not has_key(delivered, "server")


def has_key(delivered: Delivered, container: str) -> bool:
    """Whether a container of the pod is given the Secret."""
    (found,) = [c for c in delivered.pod("s3")["spec"]["initContainers"] if c["name"] == container]
    return {"secretRef": {"name": SECRET}} in found.get("envFrom", [])


def test_a_wrong_digest_keeps_the_pod_out_and_says_why(delivered: Delivered, v1: Archive) -> None:
    def ended() -> dict[str, Any]:
        return delivered.container("wrong", "fetch").get("lastState", {}).get("terminated", {})

    # the second end: nothing that the first attempt left makes the next one succeed
    terminated = delivered.release.cluster.until(ended, "the second attempt", 90)
    assert terminated["exitCode"] == 1
    assert terminated["message"] == (
        f"{delivered.urls['wrong']}: has sha256 {v1.sha256} ({v1.path.stat().st_size} bytes), the release says {NO_FILE}; "
        "put the archive there that was released, or release this one with `marline release`\n"
    )
    for name in ("agent", "server"):
        assert not delivered.container("wrong", name).get("started")
    assert ask(f"{delivered.service('wrong')}/predictions/sentiment", {"text": "Wonderful."})[0] == 0
