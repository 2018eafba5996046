from __future__ import annotations

from marline.rollout.canary import text
from marline.rollout.canary.status import Status
from marline.rollout.helm.releases import Revision
from unit.rollout.canary.world import held, plan

END = {"blue": 0, "green": 100}
REVISION = Revision("toy", 3, "deployed", {}, {}, {}, "", "sh.helm.release.v1.toy.v3", server_side=False)


def test_a_plan_says_what_will_happen() -> None:
    lines = text.plan(plan(prometheus="http://p", rate=10.0, ready_s=300)).splitlines()
    assert lines == [
        "rollout 20261121-193300 of release toy in namespace models",
        "from blue (toy 1.0.0 onnx-int8) to green (toy 1.1.0 onnx-int8)",
        "ready   green gets its pods beside the others, without traffic, within 300 s, and answers its golden requests",
        "step 1  blue 90, green 10: 0 s at least, back after 5 s without enough evidence",
        "step 2  blue 0, green 100: 0 s at least, back after 5 s without enough evidence",
        "end     what the release file says",
        "judged  errors; a good version is rolled back with probability 0.05 at most",
        "seen    every 0.01 s through Prometheus http://p and 10 pairs per second of the archives' golden requests",
    ]


def test_recorded_requests_are_counted() -> None:
    assert text.plan(plan(rate=1.0, requests=(1, 2))).endswith("through 1 pairs per second of 2 recorded requests\n")


def test_before_the_first_rollout() -> None:
    assert text.status(Status(END, END, END, REVISION, None), 0.0, None).splitlines() == [
        "file     blue 0, green 100",
        "helm     blue 0, green 100 (revision 3)",
        "cluster  blue 0, green 100",
        "rollout  none yet",
    ]


def test_a_step_says_what_was_judged_last() -> None:
    own = held(plan(created=1_790_000_000.0), phase="watch", step=1)
    own.record["steps"][1]["verdicts"].append({"decision": "hold", "reason": "Too early."})
    lines = text.status(Status(END, END, END, REVISION, own), 1_790_000_012.0, "pod-7").splitlines()
    assert lines[3].endswith("started by ada@laptop at 2026-09-21 14:13:20 UTC")
    assert lines[4:] == ["         step 2 of 2: the step is judged, for 12 s", "         hold: Too early."]


def test_another_phase_has_no_step() -> None:
    own = held(plan(created=1_790_000_000.0), phase="back")
    assert (
        text.status(Status(END, END, END, REVISION, own), 0.0, "pod-7").splitlines()[-1]
        == "         rolling back, for 0 s"
    )


def test_one_that_is_over_says_how_it_ended() -> None:
    own = held(plan(created=1_790_000_000.0), phase="done", outcome="promoted", reason="It was good.")
    lines = text.status(Status(END, {"blue": 100}, END, REVISION, own), 0.0, "pod-7").splitlines()
    assert lines[4] == "         promoted at 2026-09-21 14:13:20 UTC: It was good."
    assert len([line for line in lines if line.startswith("differs  ")]) == 2


def test_one_that_nobody_drives_says_so_until_it_is_over() -> None:
    said = "no driver is alive: `kubectl describe` says why its Job starts none"
    assert said in text.status(Status(END, END, END, REVISION, held(plan(), phase="watch")), 0.0, None)
    assert said not in text.status(Status(END, END, END, REVISION, held(plan(), phase="watch")), 0.0, "pod-7")
    assert said not in text.status(Status(END, END, END, REVISION, held(plan(), phase="done")), 0.0, None)
