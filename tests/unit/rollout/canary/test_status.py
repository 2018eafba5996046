from __future__ import annotations

import pytest

from marline.rollout.canary.status import Status, said, status
from unit.rollout.canary.world import World, held, plan

WAY, END = {"blue": 90, "green": 10}, {"blue": 0, "green": 100}


def test_all_three_are_looked_at(small: World) -> None:
    small.begin(plan())
    found = status(small.kube, "toy", END, small.session.held())
    assert (found.file, found.helm, found.cluster, found.revision) == (END, {"blue": 100}, {"blue": 100}, 1)
    assert not found.agrees


def test_an_endpoint_without_weight_makes_no_difference() -> None:
    found = Status(END, {"green": 100}, {"green": 100, "blue": 0}, 2, None)
    assert found.agrees
    assert found.differences() == []


def test_a_cluster_that_differs_from_helm() -> None:
    (found,) = Status(END, END, WAY, 2, None).differences()
    assert found.startswith("The cluster's HTTPRoute has blue 90, green 10, and revision 2 of the release blue 0, green 100: ")


@pytest.mark.parametrize(("phase", "then"), [("watch", "the rollout is on its way there."), ("done", "`marline rollout start` moves the traffic there")])
def test_a_file_that_differs_from_helm(phase: str, then: str) -> None:
    (found,) = Status(END, WAY, WAY, 2, held(plan(), phase=phase)).differences()
    assert found.startswith("The release file says blue 0, green 100, and the release has blue 90, green 10: ")
    assert then in found


def test_weights_as_a_phrase() -> None:
    assert said({"green": 10, "blue": 90}) == "blue 90, green 10"
    assert said({}) == "no weights"
