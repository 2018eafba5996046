"""Numbers and times of a record as people read them; page and table say the same ones the same way."""

from __future__ import annotations

from datetime import UTC, datetime

from marline.rollout.history.record import Arm, Record

ABSENT = "-"
UNITS = {
    "errors": "share of answers that are errors",
    "slow": "share of answers slower than stable's p95 bucket",
    "agreement": "share of replayed requests answered differently",
    "shift": "share of the classes in suspicion",
    "cpu": "CPU seconds per answer",
}
"""What a metric's values are; of one that is not listed its name says it."""
# seconds are shown with a fitting unit, shares as percentages
SECONDS = ("cpu",)
_MINUTE, _HOUR = 60, 3600


def moment(at: float) -> str:
    """A Unix time as date and time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """A length of time in its two greatest units."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def value(metric: str, found: float | None) -> str:
    """A metric's value with its unit."""
    if found is None:
        return ABSENT
    if metric in SECONDS:
        return f"{1000 * found:.3g} ms"
    return f"{100 * found:.3g} %"


def number(found: float) -> str:
    """Three significant digits; an exponent only for what is very large or small."""
    return f"{found:.3g}" if found == 0 or 1e-3 <= abs(found) < 1e6 else f"{found:.0e}"


def artifact(arm: Arm) -> str:
    """Version and variant."""
    return f"{arm.version} {arm.variant}"


def exposed(record: Record) -> str:
    """The candidate's share of all requests."""
    if record.exposed is None or record.exposed.all == 0:
        return ABSENT
    return f"{100 * record.exposed.candidate / record.exposed.all:.1f} %"


def took(record: Record) -> str:
    """How long it ran, or has run as far as the record knows."""
    return duration((record.ended if record.ended is not None else record.latest) - record.started)


def reached(record: Record) -> str:
    """The greatest weight that the candidate had, in percent of both."""
    shares = [w.candidate / total for w in record.weights if (total := w.stable + w.candidate)]
    return f"{100 * max(shares):.3g} %" if shares else ABSENT
