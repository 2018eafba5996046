"""The phase ``watch``: a step's weights are in force, and it is judged after every look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handlerkit.manifest import Golden
from marline.errors import MarlineError
from marline.rollout.analysis import Judge, Replay, Series, Verdict, Window
from marline.rollout.analysis.counters import advance
from marline.rollout.canary import record as records
from marline.rollout.canary.ends import Abort
from marline.rollout.canary.golden import manifest_of
from marline.rollout.canary.guard import harm
from marline.rollout.canary.pods import Pods, look
from marline.rollout.canary.topup import TopUp
from marline.rollout.evidence import Look, Prometheus
from marline.rollout.replay import Endpoint, Item
from marline.rollout.replay.endpoint import REPLAYED

if TYPE_CHECKING:
    from marline.rollout.canary.driver import Driver

# a version that does not answer is compared as one that answers wrongly, and soon
REPLAY_TIMEOUT_S = 10.0
ATTEMPTS = 10


def watch(driver: Driver) -> None:
    """Judge a step until it goes on or back.

    Raises:
        Abort: with the judge's reason, or the guard's.
    """
    plan, state, kube = driver.plan, driver.state, driver.tools.kube
    if state.judge is None:
        raise MarlineError("the rollout's state has no judge; start it again")
    judge = judge_of(driver)
    prometheus = Prometheus(plan.prometheus) if plan.prometheus else None
    before: Pods | None = None
    with replaying(driver) as topup:
        while not state.skip:
            stable = look(kube, plan.release, plan.stable.endpoint)
            candidate = look(kube, plan.release, plan.candidate.endpoint)
            if reason := harm(candidate, state.restarts, before):
                raise Abort(reason)
            before = candidate
            _as_written(driver)
            at = driver.now()
            seen = Look()
            if prometheus is not None:
                seen = prometheus.look(plan.namespace, stable.names, candidate.names, plan.metrics, at)
            replay, difference = topup.take() if topup else (None, "")
            verdict = judge.observe(Window(at, seen.stable, seen.candidate, replay))
            _note(driver, judge, seen, verdict, replay, difference)
            if verdict.decision == "abort":
                raise Abort(verdict.reason + (f" For instance {difference}." if difference else ""))
            if verdict.decision == "go":
                driver.note("go", verdict.reason)
                break
            driver.wait(plan.interval_s)
    driver.record["steps"][state.step]["ended"] = round(driver.now(), 3)
    _go_on(driver)


def judge_of(driver: Driver) -> Judge:
    """The judge as the state has it; a new one before the first step.

    Raises:
        MarlineError: for a state that another version wrote.
    """
    plan, state = driver.plan, driver.state
    if state.judge is None:
        return Judge(plan.judged, plan.alpha, plan.metrics, plan.steps)
    try:
        return Judge.from_json(state.judge)
    except ValueError as error:
        raise MarlineError(f"rollout {plan.id}: {error}") from error


def _go_on(driver: Driver) -> None:
    state, last = driver.state, len(driver.plan.steps) - 1
    if state.step == last:
        driver.enter("finish")
        return
    state.step = last if state.skip == "promote" else state.step + 1
    if state.skip == "step":
        state.skip = None
    driver.enter("shift")


def _as_written(driver: Driver) -> None:
    """The weights are those of the step still.

    Raises:
        Abort: when somebody has changed them by hand.
    """
    expected = driver.plan.weights(driver.plan.steps[driver.state.step].weight)
    if (found := driver.hands.weights()) != expected:
        shown = ", ".join(f"{endpoint} {weight}" for endpoint, weight in found.items())
        if found == driver.plan.weights(0):
            raise Abort(
                f"The HTTPRoute has the weights of before ({shown}): a driver was killed on its way back, whose reason is "
                "in its log, or somebody has written them."
            )
        raise Abort(f"Somebody has changed the weights of the HTTPRoute to {shown}.")


def _note(driver: Driver, judge: Judge, seen: Look, verdict: Verdict, replay: Replay | None, difference: str) -> None:
    state = driver.state
    held = seen.problem if verdict.decision == "hold" else None
    if held and held != state.held:
        driver.note("hold", f"No evidence: {held}.")
    state.held = held
    state.judge = judge.to_json()
    records.verdict(driver.record, state.step, verdict)
    counts = state.answers.setdefault("counts", {"stable": 0.0, "candidate": 0.0, "replayed": 0, "asked": 0})
    # what was replayed since the last look will be scraped until the next one
    counts["replayed"] += counts["asked"]
    counts["asked"] = replay.compared if replay else 0
    for arm, series in (("stable", seen.stable), ("candidate", seen.candidate)):
        own = {pod: Series(answers=each.answers, errors=each.errors) for pod, each in series.items()}
        found = advance(state.answers.setdefault(arm, {}), own, verdict.at).get("answers", {})
        counts[arm] += found.get("all", 0.0)
    users = [max(0, round(counts[arm] - counts["replayed"])) for arm in ("candidate", "stable")]
    if any(users):
        driver.record["exposed"] = {"candidate": users[0], "all": sum(users)}


@contextmanager
def replaying(driver: Driver) -> Iterator[TopUp | None]:
    """Requests to both versions, for as long as the block lasts."""
    plan = driver.plan
    items = _items(driver) if plan.rate else ()
    if not items:
        yield None
        return
    path = f"/predictions/{plan.candidate.model}"
    arms = [
        Endpoint(driver.hands.address(arm.endpoint) + path, {"x-request-id": REPLAYED}, REPLAY_TIMEOUT_S)
        for arm in (plan.stable, plan.candidate)
    ]
    topup = TopUp(arms[0], arms[1], items, plan.rate)
    topup.start()
    try:
        yield topup
    finally:
        topup.stop()


def _items(driver: Driver) -> tuple[Item, ...]:
    """What both versions are asked: recorded requests, else the golden ones of both archives."""
    plan = driver.plan
    requests = {json.dumps(request, sort_keys=True): request for request in plan.requests}
    if not requests:
        for arm in (plan.stable, plan.candidate):
            requests |= {
                json.dumps(each.request, sort_keys=True): each.request for each in _golden(driver, arm.endpoint)
            }
    if not requests:
        driver.note("hold", "There is nothing to replay: no recorded requests, and no golden ones in the archives.")
    return tuple(Item(str(number), request) for number, request in enumerate(requests.values()))


def _golden(driver: Driver, endpoint: str) -> tuple[Golden, ...]:
    """Golden requests of the archive that an endpoint serves, from the first of its pods that gives them.

    Raises:
        MarlineError: when none does for a while: pods come and go.
    """
    for attempt in range(ATTEMPTS):
        for address in look(driver.tools.kube, driver.plan.release, endpoint).ready.values():
            try:
                return manifest_of(address).golden
            except MarlineError:
                if attempt == ATTEMPTS - 1:
                    raise
        driver.wait(1.0)
    return ()
