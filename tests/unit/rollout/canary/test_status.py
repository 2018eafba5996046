from __future__ import annotations

import dataclasses

import pytest

from marline.rollout.canary.status import Status, mended, said, status
from marline.rollout.helm.releases import Revision
from unit.rollout.canary.world import World, held, plan

HELM_3 = Revision("toy", 2, "deployed", {}, {}, {}, "", "sh.helm.release.v1.toy.v2", server_side=False)
HELM_4 = dataclasses.replace(HELM_3, server_side=True)
WAY, END = {"blue": 90, "green": 10}, {"blue": 0, "green": 100}


def test_all_three_are_looked_at(small: World) -> None:
    small.begin(plan())
    found = status(small.kube, "toy", END, small.session.held())
    assert (found.file, found.helm, found.cluster, found.revision.number) == (END, {"blue": 100}, {"blue": 100}, 1)
    assert not found.agrees


def test_an_endpoint_without_weight_makes_no_difference() -> None:
    found = Status(END, {"green": 100}, {"green": 100, "blue": 0}, HELM_3, None)
    assert found.agrees
    assert found.differences() == []


def test_a_cluster_that_differs_from_helm() -> None:
    (found,) = Status(END, END, WAY, HELM_3, None).differences()
    assert found.startswith(
        "The cluster's HTTPRoute has blue 90, green 10, and revision 2 of the release blue 0, green 100: "
    )
    assert found.endswith(f"somebody has written them by hand; {mended(HELM_3)}.")


def test_while_a_rollout_runs_nobody_has_to_mend_its_weights() -> None:
    (found,) = Status(END, END, WAY, HELM_3, held(plan(), phase="back")).differences()
    assert found.endswith("the rollout is between the two, or goes back because somebody has written them by hand.")


def test_only_a_helm_that_applies_on_the_server_writes_equal_weights_again() -> None:
    assert mended(HELM_4) == "`helm rollback toy 2 --force-conflicts` writes the release's"
    assert "helm rollback" not in mended(HELM_3)


@pytest.mark.parametrize(
    ("phase", "then"),
    [("watch", "the rollout is on its way there."), ("done", "`marline rollout start` moves the traffic there")],
)
def test_a_file_that_differs_from_helm(phase: str, then: str) -> None:
    (found,) = Status(END, WAY, WAY, HELM_3, held(plan(), phase=phase)).differences()
    assert found.startswith("The release file says blue 0, green 100, and the release has blue 90, green 10: ")
    assert then in found


def test_weights_as_a_phrase() -> None:
    assert said({"green": 10, "blue": 90}) == "blue 90, green 10"
    assert said({}) == "no weights"
