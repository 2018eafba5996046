from __future__ import annotations

import base64
from typing import Any

import pytest

from marline.errors import MarlineError
from marline.rollout.helm.releases import decoded, deployed, revisions
from marline.rollout.kube import Kube
from unit.rollout.api_server import Api
from unit.rollout.canary.world import BEFORE
from unit.rollout.helm_program import secret


def put(api: Api, *statuses: str, release: str = "toy") -> None:
    """Revisions from 1 on."""
    for number, status in enumerate(statuses, 1):
        api.put("secrets", secret(release, number, status, BEFORE, {"who": "me"}))


def test_a_revision_is_what_helm_wrote(api: Api, cluster: Kube) -> None:
    put(api, "deployed")
    (found,) = revisions(cluster, "toy")
    assert (found.name, found.number, found.status, found.values) == ("toy", 1, "deployed", BEFORE)
    assert found.labels["who"] == "me"
    assert found.secret == "sh.helm.release.v1.toy.v1"
    assert found.server_side
    assert found.chart["metadata"]["name"] == "marline"
    assert [item["kind"] for item in found.objects()] == ["Service", "Deployment", "HTTPRoute"]
    assert [item["kind"] for item in found.objects("HTTPRoute", "Service")] == ["Service", "HTTPRoute"]


def test_helm_3_and_helm_4_apply_otherwise() -> None:
    for method, found in (("ssa", True), ("csa", False), ("", False)):
        assert decoded(secret("toy", 1, "deployed", BEFORE, {}, method)).server_side is found


def test_revisions_are_in_the_order_of_their_numbers(api: Api, cluster: Kube) -> None:
    put(api, *["superseded"] * 10, "deployed")
    put(api, "deployed", release="other")
    assert [found.number for found in revisions(cluster, "toy")] == list(range(1, 12))
    assert [found.number for found in revisions(cluster, "toy", "deployed")] == [11]


@pytest.mark.parametrize(
    ("statuses", "number"),
    [
        (["superseded", "deployed"], 2),
        (["deployed", "failed"], 1),
        (["deployed", "pending-upgrade"], 1),
        # Helm was killed after it had superseded the old revision, and before it had called the new one deployed
        (["superseded", "superseded", "pending-upgrade"], 2),
        # and the one that was left pending is taken away
        (["superseded", "superseded"], 2),
        # two Helms at once
        (["deployed", "deployed"], 2),
    ],
)
def test_one_revision_is_in_force(api: Api, cluster: Kube, statuses: list[str], number: int) -> None:
    put(api, *statuses)
    assert deployed(cluster, "toy").number == number


@pytest.mark.parametrize("statuses", [[], ["failed"], ["pending-install"], ["uninstalled"]])
def test_a_release_that_is_not_installed_has_none(api: Api, cluster: Kube, statuses: list[str]) -> None:
    put(api, *statuses)
    with pytest.raises(MarlineError, match="^namespace models: no release toy is deployed there; install it first"):
        deployed(cluster, "toy")


def broken(**data: Any) -> dict[str, Any]:
    return {**secret("toy", 1, "deployed", BEFORE, {}), "data": data}


@pytest.mark.parametrize(
    "found",
    [
        broken(),
        broken(release="?"),
        broken(release=base64.b64encode(base64.b64encode(b"no gzip")).decode()),
        broken(release=secret("toy", 1, "deployed", BEFORE, {})["data"]["release"][:200]),
    ],
)
def test_a_secret_that_holds_none_is_named(found: dict[str, Any]) -> None:
    with pytest.raises(MarlineError, match=r"^secrets/sh.helm.release.v1.toy.v1: holds no revision of a Helm release \(.*\); see `helm history`$"):
        decoded(found)
