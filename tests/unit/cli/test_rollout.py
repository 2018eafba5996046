"""`marline rollout`: what is printed, which exit code, and that nothing happens where it refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from marline.cli import main
from marline.cli import rollout as verbs
from marline.rollout.canary.lease import Lease
from unit.cli.conftest import Marline, says
from unit.rollout.api_server import refusal
from unit.rollout.canary.world import GOAL, NAME, World, plan

IMAGE = {"repository": "registry.example.com/rollout", "tag": "1"}


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Path:
    """As much of the release file as most verbs read; the rest of it is wrong."""
    path = tmp_path / "config" / "releases" / "staging.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("release: toy\nnamespace: models\nvariants: 7\nrollouts: {}\n")
    return path


def test_a_plan_changes_nothing(rollout: Marline, released: World) -> None:
    done = rollout("start", "--plan")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[1] == "from blue (toy 1.0.0 onnx-int8) to green (toy 1.1.0 onnx-int8)"
    assert [call for call in released.api.calls[3:] if call.writes and call.resource != "secrets"] == []
    assert len(released.revisions()) == 1


def test_without_an_image_the_cluster_cannot_do_it(rollout: Marline, released: World) -> None:
    done = rollout("start")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: config/releases/staging.yaml: rollout.image is missing, which the Job in the cluster needs; build it with "
        "`make image ARGS='--target rollout --tag NAME'`, or drive the rollout here with `--local`\n"
    )
    assert released.api.all("configmaps") == {}


def test_a_way_that_the_chart_refuses_is_not_begun(rollout: Marline, released: World) -> None:
    released.api.helm = lambda values: "refuse" if values == GOAL else "ok"
    done = rollout("start", "--local")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: helm upgrade: UPGRADE FAILED: values don't meet the specifications of the schema\n"
    assert released.api.all("configmaps") == {}


def test_weights_that_are_not_the_releases_are_said_first(rollout: Marline, released: World) -> None:
    (route,) = released.api.all("httproutes").values()
    route["spec"]["rules"][-1]["backendRefs"][0]["weight"] = 60
    released.api.put("httproutes", route)
    done = rollout("start", "--local")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: httproutes in namespace models: has the weights blue 60, which are not those of revision 1 of release toy; "
        "`helm rollback toy 1 --force-conflicts` writes the release's\n"
    )


def test_a_terminal_drives_it_and_everything_agrees_afterwards(rollout: Marline, released: World) -> None:
    before = rollout("status")
    assert before.exit_code == 1
    assert "rollout  none yet" in before.stdout
    assert json.loads(rollout("status", "--json").stdout) is None
    done = rollout("start", "--local")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(" green (toy 1.1.0 onnx-int8) has passed 1 steps.")
    assert released.deployed()["config"] == GOAL
    after = rollout("status")
    assert after.exit_code == 0, after.stdout
    assert "promoted at " in after.stdout
    assert json.loads(rollout("status", "--json").stdout)["outcome"] == "promoted"
    again = rollout("start", "--local")
    assert again.exit_code == 1
    assert "there is nothing to roll out" in again.stderr


def test_a_version_that_is_rolled_back_is_an_error_of_the_terminal(rollout: Marline, released: World) -> None:
    released.wrong.add("green")
    done = rollout("start", "--local")
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: rollout 20")
    assert ": rolled-back: green (toy 1.1.0 onnx-int8) does not answer as recorded: " in line


def test_a_job_drives_it_and_a_second_start_is_refused(
    rollout: Marline, released: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, image=IMAGE)
    done = rollout("start")
    assert done.exit_code == 0, done.stderr
    (job,) = released.api.all("jobs")
    assert done.stdout.splitlines()[-1].startswith(f"job/{job} drives rollout ")
    assert set(released.api.all("roles")) == {NAME}
    Lease(released.kube, NAME, "pod-7").acquire()
    second = rollout("start")
    assert second.exit_code == 1
    assert "is not over (the candidate's pods start, without traffic), started by " in second.stderr
    assert " and held by pod-7, since 20" in second.stderr
    assert len(released.api.all("jobs")) == 1


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_who_waits_is_told_what_happens(
    rollout: Marline, released: World, monkeypatch: pytest.MonkeyPatch, good: bool, code: int
) -> None:
    says(monkeypatch, image=IMAGE)
    if not good:
        released.wrong.add("green")
    inner = released.api.written
    started: list[threading.Thread] = []

    def written(resource: str) -> None:
        inner(resource)
        if resource == "jobs":
            started.append(threading.Thread(target=released.drive))
            started[0].start()

    released.api.written = written
    done = rollout("start", "--wait")
    started[0].join()
    assert done.exit_code == code, done.stderr
    assert " Installs green (toy 1.1.0 onnx-int8) beside blue (toy 1.0.0 onnx-int8)" in done.stdout
    assert ("rolled-back: " in done.stderr) is not good


def test_what_the_job_runs_is_no_failure_where_the_version_is_one(released: World) -> None:
    released.session.begin(plan(metrics=("agreement",), rate=100.0))
    released.wrong.add("green")
    here = ["--helm", str(released.helm)]
    done = CliRunner().invoke(main, ["rollout", "run", "toy", "--namespace", "models", "--rollout", plan().id, *here])
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("rolled-back: ")
    assert "run" not in CliRunner().invoke(main, ["rollout", "--help"]).stdout.split("Commands:")[1].split()


def test_an_order_without_a_driver_is_carried_out_here(
    rollout: Marline, released: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.session.begin(plan())
    done = rollout("abort")
    assert done.exit_code == 0, done.stderr
    assert done.stderr == "no driver is alive: this terminal goes on with it\n"
    assert done.stdout.splitlines()[-1].endswith(" ordered it.")
    assert released.as_released()
    over = rollout("abort")
    assert over.exit_code == 1
    assert "is over (rolled-back at " in over.stderr


@contextmanager
def driven(released: World) -> Iterator[None]:
    """A driver that has begun, and goes on when something is ordered."""
    begun, ordered = threading.Event(), threading.Event()

    def written(resource: str) -> None:
        inner(resource)
        if resource == "configmaps" and "order" in released.api.there("configmaps")[NAME]["data"]:
            ordered.set()

    def drive() -> None:
        Lease(released.kube, NAME, "pod-1").acquire()
        begun.set()
        ordered.wait(20)
        released.drive()

    inner, released.api.written = released.api.written, written
    thread = threading.Thread(target=drive)
    thread.start()
    assert begun.wait(20)
    try:
        yield
    finally:
        ordered.set()
        thread.join()


def test_a_promotion_is_ordered(rollout: Marline, released: World) -> None:
    released.session.begin(plan())
    with driven(released):
        done = rollout("promote")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "promoted: green (toy 1.1.0 onnx-int8) was promoted by a person."


def test_a_promotion_of_what_is_not_ready_fails(rollout: Marline, released: World) -> None:
    released.session.begin(plan(ready_s=0.1))
    released.ready["green"] = False
    with driven(released):
        done = rollout("promote")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1].startswith("rolled-back: ")


@pytest.mark.parametrize("verb", ["step", "promote"])
def test_the_way_forward_is_not_gone_without_a_driver(rollout: Marline, released: World, verb: str) -> None:
    released.session.begin(plan())
    done = rollout(verb)
    assert done.exit_code == 1
    assert done.stderr.startswith(
        f"error: release toy: no driver of rollout {plan().id} is alive to {verb} it; `kubectl "
    )
    held = released.session.held()
    assert (held.order, held.state.phase, len(released.revisions())) == (None, "prepare", 1)


def test_a_promotion_is_left_to_the_job_when_its_driver_dies(
    rollout: Marline, released: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "PATIENCE_S", 0.1)
    released.session.begin(plan())
    lease = Lease(released.kube, NAME, "pod-7")
    lease.acquire()
    inner = released.api.written

    def written(resource: str) -> None:
        inner(resource)
        if resource == "configmaps":
            (found,) = released.api.there("leases").values()
            found["spec"]["holderIdentity"] = ""

    released.api.written = written
    done = rollout("promote")
    assert done.exit_code == 1
    assert "the driver has not carried it out within 0.1 s" in done.stderr
    held = released.session.held()
    assert held.order is not None
    assert held.state.phase == "prepare"


def test_whoever_waits_for_a_job_without_a_driver_is_told(
    rollout: Marline, released: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "SILENT_S", 0.1)
    says(monkeypatch, image=IMAGE)
    done = rollout("start", "--wait")
    (job,) = released.api.all("jobs")
    assert done.exit_code == 1
    assert done.stderr == (
        f"error: job/{job}: has had no driver for 0.1 s; `kubectl --namespace models describe job/{job}`, or `describe pods "
        f"--selector job-name={job}`, says why, and `marline rollout abort` ends the rollout\n"
    )
    assert "no driver is alive" in rollout("status").stdout
    Lease(released.kube, NAME, "pod-7").acquire()
    assert "no driver is alive" not in rollout("status").stdout


@pytest.mark.parametrize("gone", ["configmap", "rollout", "release"])
def test_a_job_ends_with_what_it_was_made_for(released: World, gone: str) -> None:
    released.session.begin(plan())
    if gone == "configmap":
        released.api.drop("configmaps", NAME)
    if gone == "release":
        released.api.drop("secrets", next(iter(released.api.all("secrets"))))
    wanted = "20261120-000000" if gone == "rollout" else plan().id
    command = ["rollout", "run", "toy", "--namespace", "models", "--rollout", wanted, "--helm", str(released.helm)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "nothing left to drive" in line


def test_a_job_goes_on_while_the_api_server_is_away(released: World) -> None:
    released.session.begin(plan())
    released.api.trouble = lambda call: refusal(503, "no answer")
    command = ["rollout", "run", "toy", "--namespace", "models", "--rollout", plan().id]
    assert CliRunner().invoke(main, command).exit_code == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("release: toy\n", "config/releases/staging.yaml: namespace: must be text; name the namespace that it is in"),
        (
            "release: 7\nnamespace: models\n",
            "config/releases/staging.yaml:1: release: must be text; name the Helm release",
        ),
    ],
)
def test_a_file_that_does_not_say_which_release_it_is(rollout: Marline, file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    done = rollout("abort")
    assert (done.exit_code, done.stderr) == (1, f"error: {sentence}\n")


def test_a_driver_that_does_nothing_is_not_waited_for_for_ever(
    rollout: Marline, released: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "PATIENCE_S", 0.1)
    released.session.begin(plan())
    Lease(released.kube, NAME, "pod-7").acquire()
    done = rollout("abort")
    assert done.exit_code == 1
    assert (
        "error: release toy: the driver has not carried it out within 0.1 s; see `marline rollout status`"
        in done.stderr
    )
    assert released.session.held().state.phase == "prepare"


def test_a_step_is_ordered_and_not_waited_for(rollout: Marline, released: World) -> None:
    released.session.begin(plan())
    Lease(released.kube, NAME, "pod-7").acquire()
    done = rollout("step")
    assert (done.exit_code, done.stdout) == (
        0,
        "rollout 20261121-193300: ordered, and carried out as soon as the step's pods are ready\n",
    )
    order = released.session.held().order
    assert order is not None
    assert order["verb"] == "step"


@pytest.mark.parametrize("verb", ["abort", "step", "promote", "history"])
def test_before_the_first_rollout_there_is_nothing_to_order(rollout: Marline, verb: str) -> None:
    done = rollout(verb)
    assert done.exit_code == 1
    assert done.stderr == (
        "error: release toy in namespace models: had no rollout yet; begin one with `marline rollout start`\n"
    )


@pytest.fixture
def over(released: World) -> str:
    """One rollout that is over."""
    rollout = plan(ready_s=0.0)
    released.session.begin(rollout)
    released.ready["green"] = False
    released.drive()
    return rollout.id


def test_history_is_a_table_a_record_or_a_page(rollout: Marline, over: str, tmp_path: Path) -> None:
    listed = rollout("history")
    assert listed.exit_code == 0, listed.stderr
    assert over in listed.stdout
    assert rollout("history", "--id", over).stdout == listed.stdout
    assert json.loads(rollout("history", "--json").stdout)["id"] == over
    done = rollout("history", "--html", "page.html")
    assert (done.exit_code, done.stdout) == (0, "page.html\n")
    assert over in Path("page.html").read_text()


def test_history_of_one_that_is_not_there(rollout: Marline, over: str) -> None:
    done = rollout("history", "--id", "x")
    assert (done.exit_code, done.stderr) == (1, f"error: --id x: no such rollout is kept; allowed: {over}\n")


def test_a_page_has_a_folder(rollout: Marline, over: str) -> None:
    done = rollout("history", "--html", "no/page.html")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: no/page.html: cannot be written (No such file or directory); name a file in a folder that is there\n"
    )


def test_a_rollout_that_ended_because_of_somebody_else_is_in_the_history(
    rollout: Marline, released: World, over: str
) -> None:
    held = released.session.held()
    held.record["outcome"] = held.state.outcome = "stopped"
    released.session.store.save(held.plan, held.state, held.record)
    assert "stopped" in rollout("history").stdout
    assert rollout("history", "--html", "page.html").exit_code == 0
