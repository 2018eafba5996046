"""The page of one rollout: one file that needs nothing from anywhere else, and runs no script."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from marline.rollout.history import plots, say
from marline.rollout.history.record import Evidence, Record, Step

STYLE = Path(__file__).with_name("page.css")
KINDS = {"promoted": "good", "rolled-back": "bad", "running": "warn", "stopped": "warn"}
HEAD = ("metric", "candidate", "stable", "allowed", "e-value", "ends at", "answers", "windows", "not enough yet")
RISK = "At most {:g} % of the rollouts of candidates that keep them are rolled back on evidence."
KEY = '<span class="key candidate"></span>candidate<span class="key stable"></span>stable<span class="key limit"></span>limit'


def page(record: Record) -> str:
    """The page.

    Args:
        record: from :func:`marline.rollout.history.load` or ``validate``.

    Returns:
        HTML with inline style and drawings; the same record gives the same text.
    """
    title = escape(f"{record.release}: rollout {record.id}")
    sections = (_headline, _reason, _weights, _metrics, _evidence, _events, _limits)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n"
        f"<body>\n<main>\n{''.join(section(record) for section in sections)}</main>\n</body>\n</html>\n"
    )


def _headline(record: Record) -> str:
    stable, candidate = record.stable, record.candidate
    counts = f"{record.exposed.candidate:,} of {record.exposed.all:,} requests" if record.exposed else "not counted"
    cards = (
        ("stable", say.artifact(stable), f"{stable.model}, endpoint {stable.endpoint}"),
        ("candidate", say.artifact(candidate), f"{candidate.model}, endpoint {candidate.endpoint}"),
        ("took", say.took(record), f"began {say.moment(record.started)} UTC"),
        ("greatest weight", say.reached(record), f"plan: {', '.join(f'{s.weight} %' for s in record.steps) or 'none'}"),
        ("exposed traffic", say.exposed(record), counts),
        ("started by", record.by, f"namespace {record.namespace}"),
    )
    shown = "".join(
        f"<div><dt>{escape(what)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>\n"
        for what, value, note in cards
    )
    tag = f'<span class="tag {KINDS[record.outcome]}">{record.outcome}</span>'
    return (
        f"<h1>{escape(record.release)}<small>rollout {escape(record.id)}</small>{tag}</h1>\n"
        f'<dl class="cards">\n{shown}</dl>\n'
    )


def _reason(record: Record) -> str:
    if not record.reason:
        return ""
    return f'<p class="note {KINDS[record.outcome]}">{escape(record.reason)}</p>\n'


def _weights(record: Record) -> str:
    drawing = plots.weights(record)
    if not drawing:
        return "<h2>Weights</h2>\n<p>No weight was set.</p>\n"
    figure = _figure("Share of traffic that the candidate gets", "minutes and seconds since the start", drawing)
    return f"<h2>Weights</h2>\n{_plots([figure])}"


def _metrics(record: Record) -> str:
    figures = []
    for metric in plots.metrics(record):
        name, what = escape(metric), escape(say.UNITS.get(metric, metric))
        against = f"{name}: evidence against the candidate"
        figures.append(_figure(against, "e-value", plots.e_values(record, metric)))
        figures.append(_figure(f"{name}: both arms", f"{what}{KEY}", plots.values(record, metric)))
    if not figures:
        return "<h2>Evidence over time</h2>\n<p>Nothing was judged.</p>\n"
    return (
        f"<h2>Evidence over time</h2>\n{_plots(figures)}"
        '<p class="faint">An e-value is the factor by which a bettor against the candidate has multiplied its money: the '
        "higher, the stronger the evidence that the limit is exceeded. Each step begins anew; a value is that of its step "
        "so far.</p>\n"
    )


def _evidence(record: Record) -> str:
    judged = [(number, step) for number, step in enumerate(record.steps, 1) if step.verdicts]
    shown = "".join(_step(number, step, record.started) for number, step in judged)
    return f"<h2>Each step's last evidence</h2>\n{shown}" if shown else ""


def _step(number: int, step: Step, started: float) -> str:
    last = step.verdicts[-1]
    kind = {"go": "good", "abort": "bad", "hold": "warn"}[last.decision]
    when = f"after {say.duration(last.elapsed_s)}, {say.duration(last.at - started)} since the start"
    return (
        f'<h3>Step {number}: {step.weight} %<span class="tag {kind}">{last.decision}</span></h3>\n'
        f'<p><span class="faint">{when}.</span> {escape(last.reason)}</p>\n'
        + _table(HEAD, (_row(each) for each in last.evidence))
    )


def _row(each: Evidence) -> str:
    name = each.metric
    cells = (
        *(say.value(name, value) for value in (each.candidate, each.stable, each.allowed)),
        say.number(each.e_value),
        say.number(each.threshold),
        f"{each.answers[0]:,} / {each.answers[1]:,}",
        str(each.windows),
    )
    harmful = ' class="miss"' if each.e_value >= each.threshold else ""
    shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    missing = f'<td class="left wrap">{escape(each.missing or say.ABSENT)}</td>'
    return f"<tr{harmful}><th>{escape(name)}</th>{shown}{missing}</tr>\n"


def _events(record: Record) -> str:
    rows = (
        f"<tr><th>{say.moment(each.at)}</th><td>{_since(each.at - record.started)}</td>"
        f'<td class="left">{escape(each.kind)}</td><td class="left wrap">{escape(each.text)}</td></tr>\n'
        for each in sorted(record.events, key=lambda each: each.at)
    )
    table = _table(("time (UTC)", "since start", "event", "what happened"), rows)
    return f"<h2>Events</h2>\n{table}" if record.events else ""


def _since(seconds: float) -> str:
    return f"{'-' if seconds < 0 else ''}{say.duration(abs(seconds))}"


def _limits(record: Record) -> str:
    if not record.limits:
        return ""
    limits = record.limits.items()
    rows = (f"<tr><th><code>{escape(name)}</code></th><td>{value:g}</td></tr>\n" for name, value in limits)
    risk = "" if record.alpha is None else f"<p>{RISK.format(100 * record.alpha)}</p>\n"
    return f"<h2>Limits</h2>\n{risk}{_table(('limit', 'value'), rows, 'scroll narrow')}"


def _figure(caption: str, note: str, drawing: str) -> str:
    return f"<figure><figcaption>{caption}<small>{note}</small></figcaption>\n{drawing}\n</figure>\n"


def _plots(figures: Iterable[str]) -> str:
    return f'<div class="plots">\n{"".join(figures)}</div>\n'


def _table(head: Iterable[str], rows: Iterable[str], kind: str = "scroll") -> str:
    left = ("event", "what happened", "not enough yet")
    titles = "".join(f'<th class="left">{each}</th>' if each in left else f"<th>{each}</th>" for each in head)
    return (
        f'<div class="{kind}"><table>\n<thead><tr>{titles}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table></div>\n"
    )
