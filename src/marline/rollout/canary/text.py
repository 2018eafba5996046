"""A plan, and where a rollout is, for people."""

from __future__ import annotations

from marline.rollout.canary.plan import Plan
from marline.rollout.canary.session import moment
from marline.rollout.canary.state import PHASES
from marline.rollout.canary.status import Status, said


def plan(found: Plan) -> str:
    """What a rollout will do, a line for each step."""
    lines = [
        f"rollout {found.id} of release {found.release} in namespace {found.namespace}",
        f"from {found.stable} to {found.candidate}",
        f"ready   {found.candidate.endpoint} gets its pods beside the others, without traffic, within {found.ready_s:g} s, "
        "and answers its golden requests",
    ]
    for number, step in enumerate(found.steps, 1):
        lines.append(
            f"step {number}  {said(found.weights(step.weight))}: {step.pause_s:g} s at least, back after {step.deadline_s:g} s "
            "without enough evidence"
        )
    lines.append("end     what the release file says")
    lines.append(
        f"judged  {', '.join(found.metrics)}; a good version is rolled back with probability {found.alpha:g} at most"
    )
    sources = [f"Prometheus {found.prometheus}"] if found.prometheus else []
    if found.rate:
        what = f"{len(found.requests)} recorded" if found.requests else "the archives' golden"
        sources.append(f"{found.rate:g} pairs per second of {what} requests")
    lines.append(f"seen    every {found.interval_s:g} s through {' and '.join(sources)}")
    return "".join(f"{line}\n" for line in lines)


def status(found: Status, now: float, driver: str | None) -> str:
    """Where a release's last rollout is, and what cluster, Helm and file say of the weights.

    Args:
        found: all that is known.
        now: Unix seconds.
        driver: who drives the rollout, None for nobody.
    """
    lines = [
        f"file     {said(found.file)}",
        f"helm     {said(found.helm)} (revision {found.revision.number})",
        f"cluster  {said(found.cluster)}",
    ]
    if found.held is None:
        lines.append("rollout  none yet")
    else:
        state, own = found.held.state, found.held.plan
        lines.append(
            f"rollout  {own.id} from {own.stable} to {own.candidate}, started by {own.by} at {moment(own.created)}"
        )
        if state.over:
            lines.append(f"         {state.outcome} at {moment(state.entered)}: {state.reason}")
        else:
            place = f"step {state.step + 1} of {len(own.steps)}: " if state.phase in ("shift", "watch") else ""
            lines.append(f"         {place}{PHASES[state.phase]}, for {max(0.0, now - state.entered):.0f} s")
            verdicts = found.held.record["steps"][state.step]["verdicts"]
            if driver is None:
                lines.append(
                    "         no driver is alive: `kubectl describe` says why its Job starts none, and `marline rollout abort` "
                    "ends it without one"
                )
            if state.phase == "watch" and verdicts:
                lines.append(f"         {verdicts[-1]['decision']}: {verdicts[-1]['reason']}")
    lines += [f"differs  {sentence}" for sentence in found.differences()]
    return "".join(f"{line}\n" for line in lines)
