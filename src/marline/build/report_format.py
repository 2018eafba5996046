"""Numbers of a report as people read them; page, terminal and docs say the same number the same way."""

from __future__ import annotations

from typing import Any

from marline.spec.gates import LIMITS, default_gates
from marline.spec.names import VARIANTS

ABSENT = "-"
MEASURED = {
    "max_drop_points": "drop_points",
    "max_bound_points": "drop_bound_points",
    "min_agreement": "agreement",
    "max_abs": "max_abs",
    "min_cosine": "cosine",
    "min_sqnr_db": "sqnr_db",
    "max_flip_share": "flip_share",
    "max_batch_drift": "batch_drift",
    "max_load_seconds": "load_seconds",
}
"""Limit to the key of a report entry that it is about; the two others are derived in :func:`found`."""

STRANGERS = ("max_flip_share", "max_batch_drift")
"""Limits on answers among strangers, which a variant that is served one item at a time need not keep."""


def variants(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The report's entries in the order in which specs know variants, the reference first; JSON has none."""
    known = list(VARIANTS)
    names = sorted(report["variants"], key=lambda name: (known.index(name) if name in known else len(known), name))
    return {name: report["variants"][name] for name in names}


def percent(share: float | None) -> str:
    """A share of 1 as a percentage with two decimals."""
    return ABSENT if share is None else f"{100 * share:.2f} %"


def seconds(value: float | None) -> str:
    """Seconds with two decimals."""
    return ABSENT if value is None else f"{value:.2f}"


def times(ratio: float | None) -> str:
    """How many times as fast as the reference."""
    return ABSENT if ratio is None else f"{ratio:.2f}x"


def megabytes(size: float | None) -> str:
    """Bytes as MB of 10^6 bytes."""
    return ABSENT if size is None else f"{size / 1e6:.1f}"


def number(value: float | None) -> str:
    """Three significant digits, no exponent, at most four decimals."""
    if value is None:
        return ABSENT
    size = abs(value)
    if size == 0 or not size < float("inf"):
        return f"{value:g}"
    if size < 0.00005:
        return "<0.0001"
    return f"{value:.{next((digits for digits, bound in enumerate((100, 10, 1, 0.1)) if size >= bound), 4)}f}"


def limit(value: float) -> str:
    """A limit as its spec has it."""
    return f"{value:g}"


def eligible(entry: dict[str, Any]) -> str:
    """Whether a variant may be the default on the report's CPU class, or why nobody knows."""
    if entry["status"] == "pass" and "p50_ms" not in entry:
        return "not measured" if entry.get("runs_on_this_cpu", True) else "other CPU"
    return "yes" if entry["eligible"] else "no"


def missed(entry: dict[str, Any]) -> list[str]:
    """Every missed limit with what was allowed and found."""
    return [f"{m['limit']} {number(m['found'])}, allowed {limit(m['allowed'])}" for m in entry["missed"]]


def loosened(name: str, entry: dict[str, Any]) -> list[str]:
    """Every limit that is looser than the variant's default, with both."""
    defaults, limits = default_gates(name).model_dump(), entry["limits"]
    return [
        f"{key} {limit(limits[key])} instead of {limit(defaults[key])}"
        for key in LIMITS
        if (limits[key] < defaults[key] if key.startswith("min_") else limits[key] > defaults[key])
    ]


def found(entry: dict[str, Any], name: str) -> float | None:
    """What was measured for a limit; None where nothing was."""
    if name == "max_p50_ratio_to_eager":
        return 1 / entry["p50_ratio"] if entry.get("p50_ratio") else None
    if name == "max_rss_mb":
        return entry["rss_bytes"] / 1e6 if entry.get("rss_bytes") is not None else None
    value = entry.get(MEASURED[name])
    return None if value is None else float(value)


def applies(entry: dict[str, Any], name: str) -> bool:
    """Whether a limit is checked for a variant at all."""
    return name not in STRANGERS or bool(entry.get("served_grouped", True))
