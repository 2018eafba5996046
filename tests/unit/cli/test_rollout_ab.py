"""`marline rollout ab`: a verdict by outcomes, and what is ordered because of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

from marline.cli import rollout_ab
from marline.rollout import outcomes
from unit.cli.conftest import Marline
from unit.cli.test_rollout import driven, file
from unit.rollout.canary.world import World, plan
from unit.rollout.outcomes.conftest import files, stream, write

__all__ = ["file", "files", "write"]
Asked = Callable[..., Result]


@pytest.fixture
def ab(rollout: Marline, released: World, files: Callable[..., tuple[Path, Path]]) -> Asked:
    """The verb, with the release of a rollout that has begun, and outcomes with these means."""
    released.session.begin(plan())

    def run(stable: float, candidate: float, *arguments: str, requests: int = 4000) -> Result:
        exposures, outcomes = files(stream(1, requests, stable, candidate))
        return rollout("ab", "--exposures", str(exposures), "--outcomes", str(outcomes), *arguments)

    return run


@pytest.mark.parametrize(("stable", "candidate", "code"), [(0.3, 0.6, 0), (0.6, 0.3, 1), (0.5, 0.5, 1)])
def test_the_exit_code_says_whether_it_is_better(
    ab: Asked, released: World, stable: float, candidate: float, code: int
) -> None:
    done = ab(stable, candidate)
    assert done.exit_code == code, done.stderr
    assert done.stdout
    assert released.session.held().order is None


def test_one_that_is_better_is_promoted_where_that_is_asked_for(ab: Asked, released: World) -> None:
    with driven(released):
        done = ab(0.3, 0.6, "--order")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "promoted: green (toy 1.1.0 onnx-int8) was promoted by a person."
    assert released.as_released()


def test_one_that_is_worse_is_rolled_back_where_that_is_asked_for(ab: Asked, released: World) -> None:
    done = ab(0.6, 0.3, "--order")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1].startswith("rolled-back: ")


def test_one_that_is_better_waits_for_a_driver(ab: Asked, released: World) -> None:
    done = ab(0.3, 0.6, "--order")
    assert done.exit_code == 1
    assert "is alive to promote it" in done.stderr
    assert released.session.held().order is None


@pytest.mark.parametrize(("stable", "candidate", "verb"), [(0.3, 0.6, "promote"), (0.6, 0.3, "abort")])
def test_a_rollout_that_began_meanwhile_is_not_meant(
    ab: Asked, released: World, monkeypatch: pytest.MonkeyPatch, stable: float, candidate: float, verb: str
) -> None:
    compare = outcomes.compare

    def meanwhile(*given: object) -> object:
        held = released.session.held()
        held.state.enter("done", 1.0)
        released.session.store.save(held.plan, held.state, held.record)
        released.session.begin(plan(id="20261121-200000"))
        return compare(*given)

    monkeypatch.setattr(outcomes, "compare", meanwhile)
    done = ab(stable, candidate, "--order")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: release toy: rollout 20261121-200000 has taken the place of rollout 20261121-193300, which was meant; look at "
        f"that one before you {verb} it\n"
    )
    assert released.session.held().order is None


def test_what_is_undecided_is_not_ordered(ab: Asked, released: World) -> None:
    done = ab(0.5, 0.5, "--order")
    assert done.exit_code == 1
    assert released.session.held().order is None
    assert released.session.held().state.phase == "prepare"


def test_whoever_waits_looks_again_until_the_time_is_over(ab: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(rollout_ab, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: now[0]))
    done = ab(0.5, 0.5, "--every", "10", "--for", "35", requests=200)
    assert done.exit_code == 1
    assert slept == [10, 10, 10]
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize("more", [[], ["--outcomes", "o", "--outcomes-command", "c"]])
def test_outcomes_come_from_one_place(rollout: Marline, more: list[str]) -> None:
    done = rollout("ab", "--exposures", "e", *more)
    assert done.exit_code == 2
    assert "give one of --outcomes and --outcomes-command" in done.stderr
