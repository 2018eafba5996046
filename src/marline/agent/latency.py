"""Bounds of the front's histogram of answer times: fine enough that a model three times slower is seen at any speed."""

from __future__ import annotations

from typing import Any

# milliseconds, each about sqrt(2) times the one before.  Two digits each: Envoy keeps no more of a value, and a
# bound between two that it can tell apart would be counted by estimate
BOUNDS_MS: tuple[float, ...] = (
    1, 1.4, 2, 2.8, 4, 5.6, 8, 11, 16, 23, 32, 45, 64, 90, 130, 180, 260, 360, 510, 720,
    1000, 1400, 2000, 2900, 4100, 5800, 8200, 12000, 16000, 23000, 33000, 46000, 60000,
)  # fmt: skip
# how often Envoy brings a histogram up to date: it is told as of then, while counters are told as they are
FLUSH = "1s"


def histogram_buckets() -> list[dict[str, Any]]:
    """Envoy's settings: these bounds for clients' requests, its own for the rest, which keeps the scrape small."""
    return [{"match": {"exact": "http.ingress.downstream_rq_time"}, "buckets": list(BOUNDS_MS)}]
