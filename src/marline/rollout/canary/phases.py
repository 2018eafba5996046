"""The phases of a rollout but one: ``watch`` has a file of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from marline.rollout.analysis import Judge
from marline.rollout.canary import record as records
from marline.rollout.canary.ends import Abort
from marline.rollout.canary.golden import wrong
from marline.rollout.canary.pods import Pods, look
from marline.rollout.canary.state import Outcome, Phase
from marline.rollout.canary.watching import watch
from marline.rollout.helm.upgrade import HelmRefused

if TYPE_CHECKING:
    from marline.rollout.canary.driver import Driver

__all__ = ["PHASES", "Outcome", "Phase"]


def prepare(driver: Driver) -> None:
    """The candidate's pods beside stable's, without traffic, until they are ready and answer rightly."""
    plan, state = driver.plan, driver.state
    driver.note(
        "prepare", f"Installs {plan.candidate} beside {plan.stable}; its pods have {plan.ready_s:g} s to be ready."
    )
    if cleared := driver.hands.values(plan.values(0)):
        driver.note("helm", cleared)
    state.pods = max(state.pods, len(look(driver.tools.kube, plan.release, plan.stable.endpoint).ready))
    ready(driver, 1)
    driver.note("prepared", f"{plan.candidate} is ready and answers its golden requests as recorded.")
    driver.enter("shift")


def ready(driver: Driver, least: int) -> Pods:
    """Wait for the candidate's pods, then ask their golden requests.

    Raises:
        Abort: when they are not ready in time, or answer otherwise than recorded.
    """
    plan, state = driver.plan, driver.state
    while (
        missing := (pods := look(driver.tools.kube, plan.release, plan.candidate.endpoint)).missing(least)
    ) is not None:
        if driver.now() - state.entered > plan.ready_s:
            raise Abort(f"{plan.candidate} is not ready after {plan.ready_s:g} s: {missing}.")
        driver.wait(0.5)
    if fault := wrong(pods.ready):
        raise Abort(f"{plan.candidate} does not answer as recorded: {fault}.")
    return pods


def shift(driver: Driver) -> None:
    """Give the candidate its weight, once it has the pods for it."""
    plan, state = driver.plan, driver.state
    step = plan.steps[state.step]
    weights = plan.weights(step.weight)
    share = weights[plan.candidate.endpoint] / (sum(weights.values()) or 1)
    needed = math.ceil(state.pods * share)
    gone = plan.steps[state.step - 1].weight if state.step else 0
    grown = plan.values(gone, needed)
    if grown != plan.values(gone):
        # an autoscaler would see the load only when it is there
        driver.hands.values(grown)
        ready(driver, grown["variants"][plan.candidate.endpoint]["autoscaling"]["minReplicas"])
    pods = ready(driver, 1)
    if cleared := driver.hands.values(plan.values(step.weight, needed)):
        driver.note("helm", cleared)
    if driver.hands.weights() != weights:
        driver.hands.write(weights)
    at = driver.now()
    judge = Judge(plan.judged, plan.alpha, plan.metrics, plan.steps)
    judge = Judge.from_json(state.judge) if state.judge else judge
    while judge.step is None or judge.step < state.step:
        judge.begin(at)
    state.judge, state.began, state.restarts = judge.to_json(), at, dict(pods.restarts)
    driver.record["steps"][state.step]["began"] = round(at, 3)
    mine, theirs = weights[plan.candidate.endpoint], weights[plan.stable.endpoint]
    records.weights(driver.record, at, theirs, mine)
    driver.note(
        "weights",
        f"Step {state.step + 1} of {len(plan.steps)}: {mine} % to {plan.candidate}, {theirs} % to {plan.stable.endpoint}.",
    )
    driver.enter("watch")


def finish(driver: Driver) -> None:
    """Make the release what the file says: the traffic has moved, what is left concerns pods without any."""
    plan = driver.plan
    reason = f"{plan.candidate} has passed {len(plan.steps)} steps."
    if driver.state.skip == "promote":
        reason = f"{plan.candidate} was promoted by a person."
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
