"""What a record shows over time: the weights, and per metric its e-value and both arms' values."""

from __future__ import annotations

from collections.abc import Callable

from marline.rollout.history import say, svg
from marline.rollout.history.record import Evidence, Record
from marline.rollout.history.svg import Chart, Point

# e-values below this say the same: nothing speaks against the candidate
LEAST = 0.01
Found = tuple[float, Evidence]


def weights(record: Record) -> str:
    """The candidate's share of traffic over time; an empty string where no weight was ever set."""
    if not record.weights:
        return ""
    chart = Chart("The candidate's share of traffic over time", _seconds(record), 0, 100)
    chart.axes([(share, f"{share} %") for share in (0, 25, 50, 75, 100)])
    points: list[Point] = []
    before = 0.0
    for entry in sorted(record.weights, key=lambda each: each.at):
        total = entry.stable + entry.candidate
        share = 100 * entry.candidate / total if total else 0.0
        at = entry.at - record.started
        # a weight holds until the next one
        points += [(at, before), (at, share)]
        before = share
    points.append((_seconds(record), before))
    chart.area("candidate", points)
    chart.line("candidate", points)
    return chart.drawing()


def metrics(record: Record) -> list[str]:
    """The metrics that were judged, in the order in which they came up."""
    return list(dict.fromkeys(e.metric for s in record.steps for v in s.verdicts for e in v.evidence))


def e_values(record: Record, metric: str) -> str:
    """The e-value of a metric on a logarithmic axis, with the threshold that ends the rollout."""
    steps = _by_step(record, metric)
    found = [evidence for step in steps for _, evidence in step]
    threshold = max((evidence.threshold for evidence in found), default=1.0)
    high = 3 * max([1.0, threshold, *(evidence.e_value for evidence in found)])
    chart = Chart(f"The e-value of {metric} over time, on a logarithmic axis", _seconds(record), LEAST, high, log=True)
    chart.axes(svg.powers(LEAST, high))
    _marks(chart, record)
    chart.level("limit", threshold, f"rolled back from {say.number(threshold)}")
    _lines(chart, "candidate", steps, lambda evidence: evidence.e_value)
    return chart.drawing()


def values(record: Record, metric: str) -> str:
    """The values of candidate and stable over each step so far, with the limit."""
    steps = _by_step(record, metric)
    shown = [v for step in steps for _, e in step for v in (e.candidate, e.stable, e.allowed) if v is not None]
    high = 1.15 * max(shown, default=0.0) or 0.01
    chart = Chart(f"The values of {metric} over time, candidate and stable", _seconds(record), 0, high)
    chart.axes(svg.rounds(high, metric))
    _marks(chart, record)
    _lines(chart, "limit", steps, lambda evidence: evidence.allowed)
    _lines(chart, "stable", steps, lambda evidence: evidence.stable)
    _lines(chart, "candidate", steps, lambda evidence: evidence.candidate)
    return chart.drawing()


def _seconds(record: Record) -> float:
    return max(1.0, record.latest - record.started)


def _by_step(record: Record, metric: str) -> list[list[Found]]:
    """Evidence begins anew with each step, so no line runs from one into the next."""
    return [
        [(v.at - record.started, e) for v in step.verdicts for e in v.evidence if e.metric == metric]
        for step in record.steps
    ]


def _marks(chart: Chart, record: Record) -> None:
    for step in record.steps:
        if step.began is not None:
            chart.mark(step.began - record.started, f"{step.weight} %")


def _lines(chart: Chart, kind: str, steps: list[list[Found]], of: Callable[[Evidence], float | None]) -> None:
    for step in steps:
        chart.line(kind, [(at, value) for at, evidence in step if (value := of(evidence)) is not None])
