from __future__ import annotations

import pytest

from marline.errors import MarlineError
from marline.rollout.helm.releases import Revision, decoded
from marline.rollout.helm.routes import live_weights, route_of, services, write_weights
from marline.rollout.kube import Kube
from unit.rollout.api_server import APPLY, MERGE, Api
from unit.rollout.canary.world import BEFORE, GOAL
from unit.rollout.helm_program import objects, secret

RESOURCES = {"Service": "services", "Deployment": "deployments", "HTTPRoute": "httproutes"}


def revision(values: dict[str, object] = GOAL, method: str = "ssa") -> Revision:
    return decoded(secret("toy", 1, "deployed", values, {}, method))


@pytest.fixture
def installed(api: Api, cluster: Kube) -> Kube:
    for item in objects("toy", GOAL):
        api.put(RESOURCES[item["kind"]], item)
    return cluster


def test_the_route_and_the_services_are_those_of_the_manifest() -> None:
    assert route_of(revision())["metadata"]["name"] == "toy-marline"
    assert services(revision()) == {"blue": "toy-blue", "green": "toy-green"}


def test_a_release_without_a_route_says_what_to_add() -> None:
    own = revision()
    bare = Revision(**{**own.__dict__, "manifest": own.manifest.replace('"HTTPRoute"', '"Ingress"')})
    with pytest.raises(MarlineError, match="^release toy: has no HTTPRoute, so there are no weights to change; add `routes:`"):
        route_of(bare)


@pytest.mark.parametrize("method", ["ssa", "csa"])
def test_weights_are_written_at_once_and_nothing_else(api: Api, installed: Kube, method: str) -> None:
    before = api.all("httproutes")["toy-marline"]
    write_weights(installed, revision(method=method), {"blue": 40, "green": 60})
    assert live_weights(installed, revision()) == {"blue": 40, "green": 60}
    after = api.all("httproutes")["toy-marline"]
    for found in (before, after):
        for backend in found["spec"]["rules"][-1]["backendRefs"]:
            del backend["weight"]
    assert before["spec"] == after["spec"]
    assert after["metadata"]["annotations"]["note"] == "kept"
    writes = [call for call in api.calls if call.writes]
    assert [call.kind for call in writes] == [{"ssa": APPLY, "csa": MERGE}[method]]
    assert writes[0].query["fieldManager"] == "helm"


def test_what_helm_applied_stays_helms(api: Api, installed: Kube) -> None:
    """What an apply leaves out is taken away, and these two are in no manifest."""
    write_weights(installed, revision(), {"blue": 40, "green": 60})
    found = api.all("httproutes")["toy-marline"]["metadata"]["annotations"]
    assert found["meta.helm.sh/release-name"] == "toy"
    assert found["meta.helm.sh/release-namespace"] == "models"


def test_who_is_not_named_keeps_what_the_revision_has(installed: Kube) -> None:
    write_weights(installed, revision(), {"green": 7, "nobody": 93})
    assert live_weights(installed, revision()) == {"blue": 0, "green": 7}


def test_a_version_that_the_revision_does_not_have_gets_none(api: Api, cluster: Kube) -> None:
    for item in objects("toy", BEFORE):
        api.put(RESOURCES[item["kind"]], item)
    write_weights(cluster, revision(BEFORE), {"blue": 100, "green": 0})
    assert live_weights(cluster, revision(BEFORE)) == {"blue": 100}


def test_rules_by_header_and_path_keep_theirs(api: Api, installed: Kube) -> None:
    found = api.all("httproutes")["toy-marline"]
    found["spec"]["rules"].append(
        {
            "matches": [{"path": {"type": "Exact", "value": "/predictions/toy/1.0.0"}}],
            "backendRefs": [{"name": "toy-blue", "port": 8080, "weight": 3}],
        }
    )
    found["spec"]["rules"].append({"backendRefs": [{"name": "other", "port": 80}]})
    api.put("httproutes", found)
    assert live_weights(installed, revision()) == {"blue": 0, "green": 100}


def test_a_weight_that_is_not_written_is_one(api: Api, installed: Kube) -> None:
    found = api.all("httproutes")["toy-marline"]
    del found["spec"]["rules"][-1]["backendRefs"][0]["weight"]
    api.put("httproutes", found)
    assert live_weights(installed, revision()) == {"blue": 1, "green": 100}


def test_a_route_that_is_gone_is_named(cluster: Kube) -> None:
    with pytest.raises(MarlineError, match="^httproutes/toy-marline in namespace models: is gone, though release toy has it"):
        live_weights(cluster, revision())
