"""Rules of a release's `rollout` that span keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marline.spec.base import Problem

if TYPE_CHECKING:
    from marline.spec.release_rollout import Rollout

FROM_PROMETHEUS = ("errors", "slow", "shift", "cpu")


def rollout(spec: Rollout) -> list[Problem]:
    """Steps rise to 100, leave time for evidence, and every metric has a source."""
    problems: list[Problem] = []
    if spec.steps[-1] != 100 or any(b <= a for a, b in zip(spec.steps, spec.steps[1:], strict=False)):
        shown = ", ".join(map(str, spec.steps))
        problems.append((("steps",), f"[{shown}] does not rise to 100; allowed: rising percentages, the last one 100"))
    if spec.deadline_s <= spec.pause_s:
        sentence = f"{spec.deadline_s} is not more than pause_s {spec.pause_s}"
        problems.append((("deadline_s",), f"{sentence}; allowed: deadline_s > pause_s, time for evidence to be there"))
    if not spec.judged:
        problems.append((("metrics",), "nothing can be judged: there is neither `prometheus` nor `replay`; add one"))
    if len(set(spec.judged)) != len(spec.judged):
        problems.append((("metrics",), "names a metric twice; name each once"))
    for metric in dict.fromkeys(spec.judged):
        if metric in FROM_PROMETHEUS and spec.prometheus is None:
            problems.append((("metrics",), f"{metric} comes from Prometheus; add `prometheus`, or leave it out"))
        if metric == "agreement" and spec.replay is None:
            problems.append((("metrics",), "agreement comes from replay; leave `replay` at its default, or it out"))
    if spec.replay is None and (spec.steps[0] == 0 or spec.steps == [100]):
        sentence = f"at {spec.steps[0]} % one version has no requests to be compared by"
        problems.append((("replay",), f"{sentence}; leave `replay` at its default, or begin with another step"))
    return problems
