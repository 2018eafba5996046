from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from marline.rollout.canary.pods import Pods, look
from marline.rollout.kube import Kube
from unit.rollout.api_server import Api, kube, served

LABELS = {"app.kubernetes.io/instance": "toy", "marline.dev/endpoint": "green"}
SERVER = {**LABELS, "app.kubernetes.io/component": "server"}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def cluster(api: Api) -> Iterator[Kube]:
    with served(api) as url:
        yield kube(url)


def deployment(api: Api, replicas: int = 1, observed: int = 1, **status: int) -> None:
    known = {"observedGeneration": observed, "replicas": replicas, "updatedReplicas": replicas, **status}
    api.put("deployments", {"metadata": {"name": "toy-green", "labels": LABELS}, "spec": {"replicas": replicas}, "status": known})


def pod(api: Api, name: str, labels: dict[str, str] = SERVER, ready: bool = True, **status: Any) -> None:
    found = {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": str(ready)}], **status}
    api.put("pods", {"metadata": {"name": name, "labels": labels}, "status": found})


def container(state: dict[str, Any], ready: bool = False, last: dict[str, Any] | None = None, restarts: int = 0) -> dict[str, Any]:
    return {"name": "server", "ready": ready, "state": state, "lastState": last or {}, "restartCount": restarts}


def test_pods_of_the_endpoint_alone_count(api: Api, cluster: Kube) -> None:
    deployment(api, 2)
    pod(api, "a")
    pod(api, "b", ready=False)
    pod(api, "test", LABELS)
    pod(api, "blue", {**SERVER, "marline.dev/endpoint": "blue"})
    pod(api, "other", {**SERVER, "app.kubernetes.io/instance": "other"})
    found = look(cluster, "toy", "green")
    assert (found.names, found.ready, found.wanted) == (("a", "b"), {"a": "10.0.0.1"}, 2)
    assert found.missing() == "1 of 2 pods are ready"


def test_a_pod_that_ends_gets_no_requests_any_more(api: Api, cluster: Kube) -> None:
    deployment(api)
    pod(api, "a")
    api.objects["pods", "a"]["metadata"]["deletionTimestamp"] = "2026-11-21T19:33:00Z"
    assert look(cluster, "toy", "green").names == ()


def test_a_pod_without_an_address_is_not_ready(api: Api, cluster: Kube) -> None:
    deployment(api)
    pod(api, "a", podIP="")
    assert look(cluster, "toy", "green").missing() == "0 of 1 pods are ready"


def test_nothing_is_missing_where_all_are_ready(api: Api, cluster: Kube) -> None:
    deployment(api)
    pod(api, "a")
    found = look(cluster, "toy", "green")
    assert found.missing() is None
    assert found.missing(2) == "1 of 2 pods are ready"


@pytest.mark.parametrize("status", [{"observed": 0}, {"updatedReplicas": 1}, {"replicas": 2, "updatedReplicas": 2, "observed": 0}])
def test_pods_of_an_old_template_are_not_the_candidate(api: Api, cluster: Kube, status: dict[str, int]) -> None:
    deployment(api, **{"replicas": 2, **status})
    pod(api, "a")
    pod(api, "b")
    assert look(cluster, "toy", "green").missing() == "its pods are being replaced"


def test_more_pods_than_updated_ones_are_being_replaced(api: Api, cluster: Kube) -> None:
    deployment(api, 1)
    api.objects["deployments", "toy-green"]["status"]["replicas"] = 2
    assert not look(cluster, "toy", "green").current


def test_without_a_deployment_its_pods_are_missing(cluster: Kube) -> None:
    found = look(cluster, "toy", "green")
    assert found == Pods((), {}, 1, False, "", {})
    assert found.missing() is not None


def test_restarts_of_all_containers_are_added_up(api: Api, cluster: Kube) -> None:
    deployment(api)
    running = {"running": {}}
    pod(api, "a", initContainerStatuses=[container(running, restarts=2)], containerStatuses=[container(running, restarts=1)])
    assert look(cluster, "toy", "green").restarts == {"a": 3}


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes: insufficient cpu"}


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        ({"conditions": [UNSCHEDULED]}, "a: 0/3 nodes: insufficient cpu"),
        ({"containerStatuses": [container({"waiting": {"reason": "ImagePullBackOff"}})]}, "a: container server is in ImagePullBackOff"),
        ({"containerStatuses": [container({"waiting": {"reason": "PodInitializing"}})]}, ""),
        ({"initContainerStatuses": [container({"terminated": {"exitCode": 3}})]}, "a: container server ended with exit code 3"),
        ({"initContainerStatuses": [container({"terminated": {"exitCode": 0}})]}, ""),
        ({"containerStatuses": [container({"running": {}}, last={"terminated": {"exitCode": 137}})]}, "a: container server ended with exit code 137"),
        ({"containerStatuses": [container({"running": {}})]}, "a: server not ready"),
        ({}, ""),
    ],
)
def test_what_hinders_a_pod_is_said(api: Api, cluster: Kube, status: dict[str, Any], phrase: str) -> None:
    deployment(api)
    pod(api, "a", ready=False, **status)
    found = look(cluster, "toy", "green")
    assert found.hindrance == phrase
    assert found.missing() == "0 of 1 pods are ready" + (f" ({phrase})" if phrase else "")
