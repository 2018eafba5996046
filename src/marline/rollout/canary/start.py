"""The plan of a rollout, from a release file and what is deployed."""

from __future__ import annotations

import getpass
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from marline.errors import MarlineError, SpecError
from marline.rollout.analysis import Judge, Step
from marline.rollout.canary.plan import Arm, Plan, Weights, weights_of
from marline.rollout.helm.releases import Revision
from marline.rollout.plan import Plan as ReleasePlan
from marline.rollout.replay.requests import read
from marline.rollout.values import Values

FROM_FRONT = ("errors", "slow", "shift")
# what a rollout itself changes of a release
OWN = ("variants", "primary", "image")
# what the release file may say of stable for the time after the rollout
AFTERWARDS = ("weight", "replicas", "autoscaling", "disruptionBudget")
# a ConfigMap has place for 1 MiB
MOST_REQUESTS_BYTES = 400_000


def who() -> str:
    """The person, as user@host."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        name = "unknown"
    return f"{name}@{socket.gethostname()}"


def make(release: ReleasePlan, deployed: Revision, now: float | None = None) -> Plan:
    """Plan the way from what is deployed to what the release file says.

    Args:
        release: the release file, derived.
        deployed: the revision that is in force.
        now: Unix seconds; the present if absent.

    Raises:
        SpecError: every reason why there is no such way.
    """
    before, goal, spec = deployed.values, release.values, release.release.rollout
    problems = [f"{release.path}: {sentence}" for sentence in _differences(before, goal)]
    found = None if problems else _moving(weights_of(before), weights_of(goal), before, goal)
    if isinstance(found, str):
        problems.append(f"{release.path}: {found}")
    if problems or found is None or isinstance(found, str):
        raise SpecError(problems)
    stable, candidate = found
    sentences = [*_unsafe(before, goal, stable, candidate), *_unseen(release)]
    if problems := [f"{release.path}: {sentence}" for sentence in sentences]:
        raise SpecError(problems)
    now = time.time() if now is None else now
    # when all traffic has moved, stable has none to be compared with but what is replayed
    judged = spec.steps if spec.replay else [way for way in spec.steps if way < 100]
    steps = tuple(Step(way, spec.pause_s, spec.deadline_s) for way in judged)
    plan = Plan(
        id=datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S"),
        release=release.release.release,
        namespace=release.release.namespace,
        by=who(),
        created=now,
        stable=Arm.of(stable, before["variants"][stable]),
        candidate=Arm.of(candidate, goal["variants"][candidate]),
        steps=steps,
        ready_s=spec.ready_s,
        interval_s=spec.interval_s,
        alpha=spec.alpha,
        metrics=tuple(spec.judged),
        limits={str(key): value for key, value in spec.limits.items()},
        prometheus=spec.prometheus,
        rate=spec.replay.rate if spec.replay else 0.0,
        requests=_requests(release),
        base=deployed.number,
        before=before,
        goal=goal,
    )
    try:
        Judge(plan.judged, plan.alpha, plan.metrics, plan.steps)
    except ValueError as error:
        raise SpecError([f"{release.path}: rollout.{error}"]) from error
    return plan


def _differences(before: Values, goal: Values) -> Iterator[str]:
    """What a rollout cannot move: it would reach the pods that serve already."""
    for key in sorted({*before, *goal} - {*OWN}):
        if before.get(key) != goal.get(key):
            yield (
                f"the deployed release differs in `{key}`, which also its present pods have; bring that into force by "
                "itself with `helm upgrade`, then start the rollout"
            )


def _moving(before: Weights, goal: Weights, old: Values, new: Values) -> tuple[str, str] | str:
    """Who loses traffic and who gains it; a sentence where that is not one each."""
    endpoints = {*before, *goal}
    gains = sorted(e for e in endpoints if goal.get(e, 0) > before.get(e, 0))
    loses = sorted(e for e in endpoints if goal.get(e, 0) < before.get(e, 0))
    if len(gains) == len(loses) == 1:
        return loses[0], gains[0]
    shown = ", ".join(f"{endpoint} {weight}" for endpoint, weight in before.items())
    if gains or loses:
        return (
            f"{len(gains)} endpoints gain weight and {len(loses)} lose it against the deployed {shown}; a rollout moves "
            "traffic from one to one other, so change the weights of two"
        )
    if old["variants"] != new["variants"]:
        return (
            f"no weight differs from the deployed {shown}, so there is no traffic to move; give the new version an "
            "endpoint of its own with the weight that it is to have in the end"
        )
    return f"the deployed weights are those of the file already ({shown}); there is nothing to roll out"


def _unsafe(before: Values, goal: Values, stable: str, candidate: str) -> Iterator[str]:
    """Changes of pods that have traffic, which no step would judge."""
    old, new = before["variants"], goal["variants"]
    if old[stable]["model"] != new[candidate]["model"]:
        yield (
            f"{stable} serves {old[stable]['model']} and {candidate} {new[candidate]['model']}; a rollout moves traffic "
            "between versions of one model"
        )
    if weights_of(before).get(candidate, 0) > 0 and (
        {**old[candidate], "weight": 0} != {**new[candidate], "weight": 0}
        or _image(before, candidate) != _image(goal, candidate)
    ):
        yield (
            f"{candidate} has traffic already and would change; give the new version an endpoint of its own, or set the "
            f"deployed weight of {candidate} to 0 first"
        )
    for endpoint in sorted({*old, *new} - {candidate}):
        if endpoint not in new and endpoint == stable:
            continue
        if endpoint not in old or endpoint not in new or _without(old[endpoint]) != _without(new[endpoint]):
            yield (
                f"{endpoint} differs from what is deployed, and is not the one that gains traffic; change it by itself "
                "with `helm upgrade`, then start the rollout"
            )

    for endpoint in sorted({*old} & {*new} - {candidate}):
        if weights_of(goal)[endpoint] and _image(before, endpoint) != _image(goal, endpoint):
            yield (
                f"the release's image differs from what is deployed, and {endpoint} keeps traffic; give {candidate} the "
                f"new image as its own (variants.{candidate}.image)"
            )


def _unseen(release: ReleasePlan) -> Iterator[str]:
    """Metrics that nobody counts."""
    spec = release.release
    if not spec.front.enabled and (found := [m for m in spec.rollout.judged if m in FROM_FRONT]):
        yield (
            f"rollout.metrics: {', '.join(found)} are counted by the front, and front.enabled is false; judge by agreement "
            "and cpu, or enable the front"
        )


def _image(values: Values, endpoint: str) -> dict[str, Any]:
    return {**(values.get("image") or {}), **(values["variants"][endpoint].get("image") or {})}


def _without(own: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in own.items() if key not in AFTERWARDS}


def _requests(release: ReleasePlan) -> tuple[Any, ...]:
    """The recorded requests that both versions are asked."""
    replay = release.release.rollout.replay
    if replay is None or replay.requests is None:
        return ()
    path = release.path.parent / replay.requests
    found = tuple(item.request for item in read(path).items)
    size = sum(len(json.dumps(request)) for request in found)
    if size > MOST_REQUESTS_BYTES:
        raise MarlineError(
            f"{path}: {size} bytes of requests, and a rollout carries at most {MOST_REQUESTS_BYTES} with it; take fewer"
        )
    return found
