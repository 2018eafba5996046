"""The phases of a rollout but one: ``watch`` has a file of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from marline.errors import MarlineError
from marline.rollout.canary import record as records
from marline.rollout.canary.ends import Abort
from marline.rollout.canary.golden import wrong
from marline.rollout.canary.guard import harm
from marline.rollout.canary.pods import Pods, look
from marline.rollout.canary.state import Outcome, Phase
from marline.rollout.canary.watching import judge_of, watch
from marline.rollout.helm.upgrade import HelmRefused
from marline.rollout.kube import Unavailable

if TYPE_CHECKING:
    from marline.rollout.canary.driver import Driver

__all__ = ["PHASES", "Outcome", "Phase"]


def prepare(driver: Driver) -> None:
    """The candidate's pods beside stable's, without traffic, until they are ready and answer rightly."""
    plan = driver.plan
    driver.note(
        "prepare", f"Installs {plan.candidate} beside {plan.stable}; its pods have {plan.ready_s:g} s to be ready."
    )
    if cleared := driver.hands.values(plan.values(0)):
        driver.note("helm", cleared)
    ready(driver, 1)
    driver.note("prepared", f"{plan.candidate} is ready and answers its golden requests as recorded.")
    driver.enter("shift")


def ready(driver: Driver, least: int) -> Pods:
    """Wait for the candidate's pods, then ask their golden requests.

    Raises:
        Abort: when they are not ready in time, answer otherwise than recorded, or can no longer carry the traffic that
            they have already.
    """
    plan, state = driver.plan, driver.state
    has_traffic = bool(plan.weights(state.way).get(plan.candidate.endpoint))
    end, before = driver.now() + plan.ready_s, None
    while True:
        pods = look(driver.tools.kube, plan.release, plan.candidate.endpoint)
        if has_traffic and (reason := harm(pods, state.restarts, before)):
            raise Abort(reason)
        before, missing = pods, pods.missing(least)
        if missing is None:
            try:
                fault = driver.meanwhile(partial(wrong, pods.ready))
            except Unavailable:
                raise
            except MarlineError as error:
                missing = str(error)  # a pod that could not be asked may be about to end
            else:
                if fault is None:
                    return pods
                raise Abort(f"{plan.candidate} does not answer as recorded: {fault}.")
        if driver.now() > end:
            raise Abort(f"{plan.candidate} is not ready after {plan.ready_s:g} s: {missing}.")
        driver.wait(0.5)


def shift(driver: Driver) -> None:
    """Give the candidate a step's weight, and begin to judge it."""
    plan, state = driver.plan, driver.state
    step = plan.steps[state.step]
    pods = move(driver, step.weight)
    at = driver.now()
    judge = judge_of(driver)
    while judge.step is None or judge.step < state.step:
        judge.begin(at)
    state.judge, state.began, state.restarts = judge.to_json(), at, dict(pods.restarts)
    driver.record["steps"][state.step]["began"] = round(at, 3)
    driver.enter("watch")


def move(driver: Driver, way: int) -> Pods:
    """Bring the weights of a point of the way into force, once the candidate has the pods for it."""
    plan, state = driver.plan, driver.state
    weights, mine = plan.weights(way), plan.candidate.endpoint
    state.pods = max(state.pods, len(look(driver.tools.kube, plan.release, plan.stable.endpoint).ready))
    # stable's pods have carried its share; the candidate's are to carry theirs
    needed = math.ceil(state.pods * weights[mine] / max(1, plan.weights(0)[plan.stable.endpoint]))
    grown = plan.values(state.way, needed)
    if grown != plan.values(state.way):
        # an autoscaler would see the load only when it is there
        driver.hands.values(grown)
        ready(driver, grown["variants"][mine]["autoscaling"]["minReplicas"])
    pods = ready(driver, 1)
    if cleared := driver.hands.values(plan.values(way, needed)):
        driver.note("helm", cleared)
    if driver.hands.weights() != weights:
        driver.hands.write(weights)
    state.way = way
    theirs = weights[plan.stable.endpoint]
    records.weights(driver.record, driver.now(), theirs, weights[mine])
    place = f"Step {state.step + 1} of {len(plan.steps)}" if way == plan.steps[state.step].weight else "The whole way"
    driver.note("weights", f"{place}: {weights[mine]} % to {plan.candidate}, {theirs} % to {plan.stable.endpoint}.")
    return pods


def finish(driver: Driver) -> None:
    """Make the release what the file says: all traffic first, for what the file says may take pods away from stable."""
    plan = driver.plan
    reason = f"{plan.candidate} has passed {len(plan.steps)} steps."
    if driver.state.skip == "promote":
        reason = f"{plan.candidate} was promoted by a person."
    if driver.state.way != 100:
        move(driver, 100)
    try:
        if cleared := driver.hands.values(plan.goal):
            driver.note("helm", cleared)
    except HelmRefused as error:
        reason += (
            f" What else the release file says is not in force: {error}; `helm upgrade` with its values says so too."
        )
    driver.end("promoted", reason)


def back(driver: Driver) -> None:
    """All traffic to stable at once; then everything as it was."""
    plan, state = driver.plan, driver.state
    weights = plan.weights(0)
    driver.hands.write(weights)
    at = driver.now()
    mine, theirs = weights.get(plan.candidate.endpoint, 0), weights[plan.stable.endpoint]
    records.weights(driver.record, at, theirs, mine)
    driver.note(
        "back",
        f"{theirs} % to {plan.stable}, {mine} % to {plan.candidate.endpoint}: written after {at - state.entered:.1f} s.",
    )
    driver.save()
    if cleared := driver.hands.values(plan.before):
        driver.note("helm", cleared)
    driver.end("rolled-back", state.reason or "It was rolled back.")


PHASES: dict[Phase, Callable[[Driver], None]] = {
    "prepare": prepare,
    "shift": shift,
    "watch": watch,
    "finish": finish,
    "back": back,
}
