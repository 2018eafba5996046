"""A judgement for people."""

from __future__ import annotations

from collections.abc import Iterator

from marline.rollout.outcomes.judge import Arm, Judgement

LEFT_OUT = {
    "duplicates": "further outcomes of the same request",
    "strangers": "outcomes of requests that no exposure is known of",
    "elsewhere": "outcomes of requests that another endpoint answered",
    "conflicting": "requests that several endpoints answered",
    "exposed_again": "exposures that were known already",
    "ignored": "lines that are no exposure",
}


def lines(judgement: Judgement) -> Iterator[str]:
    """What a command prints; the last line begins with the decision."""
    width = max(len(arm.endpoint) for arm in (judgement.stable, judgement.candidate))
    yield _arm("stable   ", judgement.stable, width)
    yield _arm("candidate", judgement.candidate, width)
    sure = 100 * (1 - judgement.terms.alpha)
    yield (
        f"difference {judgement.low:+.4f} to {judgement.high:+.4f} ({sure:g} % over all looks, {judgement.blocks} blocks), "
        f"margin {judgement.terms.margin:g}"
    )
    for name, what in LEFT_OUT.items():
        if count := getattr(judgement.counts, name):
            yield f"left out: {count} {what}"
    yield f"{judgement.decision}: {judgement.reason}"


def _arm(name: str, arm: Arm, width: int) -> str:
    mean = "-" if arm.mean is None else f"{arm.mean:.4f}"
    return f"{name} {arm.endpoint:<{width}}  mean {mean} of {arm.joined} outcomes, {arm.exposed} requests"
