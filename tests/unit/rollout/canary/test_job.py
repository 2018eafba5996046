from __future__ import annotations

from typing import Any

import pytest

from marline.rollout.canary.job import job, labels, start
from marline.rollout.kube import Conflict
from marline.spec.release_image import Image
from unit.rollout.api_server import Api, kube, served
from unit.rollout.canary.world import GOAL, plan

DIGEST = "sha256:" + "0" * 64
IMAGE = Image.model_validate({"repository": "registry.example.com/rollout", "tag": "1.0.0"})


def test_everything_that_a_job_needs_is_made_once_and_used_again() -> None:
    api = Api()
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    with served(api) as url:
        assert start(kube(url), "toy-rollout", plan(), rules, IMAGE) == "toy-rollout-20261121-193300"
        assert start(kube(url), "toy-rollout", plan(id="20261121-193400"), [], IMAGE) == "toy-rollout-20261121-193400"
        with pytest.raises(Conflict):
            start(kube(url), "toy-rollout", plan(), rules, IMAGE)
    assert len(api.all("jobs")) == 2
    (account,), (role,), (binding,) = (
        list(api.all(kind).values()) for kind in ("serviceaccounts", "roles", "rolebindings")
    )
    assert account["metadata"]["name"] == role["metadata"]["name"] == binding["roleRef"]["name"] == "toy-rollout"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "toy-rollout", "namespace": "models"}]
    assert role["rules"] == rules
    # what they can be taken away by
    assert all(
        found["metadata"]["labels"] == labels("toy") for found in (account, role, binding, *api.all("jobs").values())
    )


def container(found: dict[str, Any]) -> dict[str, Any]:
    (only,) = found["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_the_job_goes_on_however_often_it_is_killed() -> None:
    found = job("toy-rollout", plan(), IMAGE)
    assert found["spec"]["backoffLimit"] > 1000
    pod = found["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["serviceAccountName"]) == ("OnFailure", "toy-rollout")
    assert container(found)["args"] == [
        *("marline", "rollout", "run", "toy", "--namespace", "models"),
        *("--rollout", "20261121-193300"),
    ]
    (name,) = container(found)["env"]
    assert name["name"] == "MARLINE_HOLDER"


def test_the_job_passes_the_restricted_standard_for_pods() -> None:
    found = job("toy-rollout", plan(), IMAGE)
    own, pod = container(found)["securityContext"], found["spec"]["template"]["spec"]["securityContext"]
    assert own == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {"limits", "requests"} == set(container(found)["resources"])


@pytest.mark.parametrize(
    ("given", "reference"),
    [
        ({"tag": "1"}, "registry.example.com/rollout:1"),
        ({"digest": DIGEST}, f"registry.example.com/rollout@{DIGEST}"),
        ({"tag": "1", "digest": DIGEST}, f"registry.example.com/rollout:1@{DIGEST}"),
    ],
)
def test_the_image_is_the_releases(given: dict[str, str], reference: str) -> None:
    image = Image.model_validate({"repository": "registry.example.com/rollout", "pull_policy": "Never", **given})
    found = container(job("toy-rollout", plan(), image))
    assert (found["image"], found["imagePullPolicy"]) == (reference, "Never")


def test_secrets_for_the_registry_are_the_releases() -> None:
    assert "imagePullSecrets" not in job("a", plan(), IMAGE)["spec"]["template"]["spec"]
    own = plan(goal={**GOAL, "imagePullSecrets": [{"name": "pull"}]})
    assert job("a", own, IMAGE)["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "pull"}]
