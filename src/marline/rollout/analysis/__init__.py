"""The judgement of a rollout's steps: scraped counters in, ``go``, ``hold`` or ``abort`` with evidence out; no I/O."""

from marline.rollout.analysis.judge import Judge, Step
from marline.rollout.analysis.limits import METRICS, Limits, Metric
from marline.rollout.analysis.verdict import Decision, Evidence, Verdict
from marline.rollout.analysis.window import Replay, Series, Window

__all__ = [
    "METRICS",
    "Decision",
    "Evidence",
    "Judge",
    "Limits",
    "Metric",
    "Replay",
    "Series",
    "Step",
    "Verdict",
    "Window",
]
