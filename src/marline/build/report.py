"""``report.json``: one document for people, release tooling and the README's tables."""

from __future__ import annotations

from typing import Any

from marline.build.gate.speed import Speed
from marline.build.gate.verdict import Miss, Quality
from marline.spec.gates import Gates

SCHEMA_VERSION = 1
SPEED_KEYS = (
    "p50_ms",
    "p95_ms",
    "p50_ratio",
    "p50_ratio_interval",
    "p95_ratio",
    "throughput_ratio",
    "rss_bytes",
    "load_seconds",
    "times_ms",
)
SPEED_LIMITS = ("max_p50_ratio_to_eager", "max_rss_mb", "max_load_seconds")


def variant_entry(required: bool, gates: Gates, quality: Quality | None, error: str | None) -> dict[str, Any]:
    """One variant's part that belongs to the artifact.

    Args:
        required: whether its failure fails the build.
        gates: the limits in force.
        quality: None when it could not be built.
        error: why it could not be built.
    """
    passed = quality is not None and not quality.misses
    entry: dict[str, Any] = {
        "status": "pass" if passed else "fail",
        "required": required,
        "eligible": False,
        "missed": [_miss(m) for m in quality.misses] if quality else [],
        "limits": gates.model_dump(exclude={"reason"}),
        "loosened_because": gates.reason,
        "error": error,
    }
    if quality:
        entry |= {
            "accuracy": quality.accuracy,
            "reference_accuracy": quality.reference_accuracy,
            "drop_points": quality.drop_points,
            "drop_bound_points": quality.bound_points,
            "agreement": quality.agreement,
            "max_abs": quality.max_abs,
            "cosine": quality.cosine,
            "sqnr_db": quality.sqnr_db,
            "flips_solo_vs_batch": quality.flips_solo_vs_batch,
            "flip_share": quality.flip_share,
            "batch_drift": quality.batch_drift,
        }
    return entry


def add_speed(
    entry: dict[str, Any], speed: Speed, rss_bytes: int, load_seconds: float, misses: tuple[Miss, ...]
) -> None:
    """Add what belongs to artifact and CPU class; decides ``eligible``."""
    entry |= {
        "eligible": entry["status"] == "pass" and not misses,
        "missed": entry["missed"] + [_miss(m) for m in misses],
        "p50_ms": speed.p50_ms,
        "p95_ms": speed.p95_ms,
        "p50_ratio": speed.p50_ratio,
        "p50_ratio_interval": [speed.p50_ratio_low, speed.p50_ratio_high],
        "p95_ratio": speed.p95_ratio,
        "throughput_ratio": speed.throughput_ratio,
        "rss_bytes": rss_bytes,
        "load_seconds": load_seconds,
        "times_ms": list(speed.times_ms),
    }


def without_speed(entry: dict[str, Any], runs_here: bool) -> dict[str, Any]:
    """An entry as it is before this machine measures: nothing of another CPU class is left in it."""
    kept = {key: value for key, value in entry.items() if key not in SPEED_KEYS}
    missed = [m for m in entry["missed"] if m["limit"] not in SPEED_LIMITS]
    return kept | {"eligible": False, "missed": missed, "runs_on_this_cpu": runs_here}


def default_variant(variants: dict[str, dict[str, Any]], among: set[str] | None = None) -> str | None:
    """The eligible variant with the highest ``p50_ratio``, among all or some names; None if there is none."""
    eligible = {n: v for n, v in variants.items() if v["eligible"] and (among is None or n in among)}
    return max(eligible, key=lambda name: float(eligible[name]["p50_ratio"]), default=None)


def _miss(miss: Miss) -> dict[str, Any]:
    return {"limit": miss.limit, "allowed": miss.allowed, "found": miss.found}
