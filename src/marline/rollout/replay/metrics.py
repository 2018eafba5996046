"""An outcome as a file in Prometheus' text format, for a textfile collector or any server of static files."""

from __future__ import annotations

import time
from pathlib import Path

from marline.artifact import atomic
from marline.errors import SourceError
from marline.rollout.replay.outcome import Limits, Outcome

PREFIX = "marline_replay"
HELP = {
    "completed": "1 when the last replay ran to its end, 0 when it could not.",
    "passed": "1 when the last replay kept its limits.",
    "timestamp_seconds": "When the last replay ended.",
    "agreement": "Share of compared answers that agree, as the build's gate defines it.",
    "min_agreement": "Limit of the agreement.",
    "max_abs": "Largest absolute difference of any number that answers show.",
    "requests": "Requests that were sent.",
    "answers": "Answers by outcome.",
    "info": "Who answered.",
}


def write(path: Path, outcome: Outcome | None, limits: Limits, reference: str, candidate: str) -> None:
    """Replace the file.

    Args:
        path: such as ``.../textfile/marline_replay.prom``.
        outcome: None for a replay that could not run to its end: agreement and counts are absent then,
            so that no old value looks like a new one.
        limits: what it had to keep.
        reference: label ``reference`` of every series, the same in every run.
        candidate: label ``candidate``.

    Raises:
        SourceError: when the file cannot be written.
    """
    try:
        atomic.write_text(path, text(outcome, limits, reference, candidate, time.time()))
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that is there with `--metrics`"
        ) from error


def text(outcome: Outcome | None, limits: Limits, reference: str, candidate: str, now: float) -> str:
    """The file's content; ``now`` in seconds since the epoch."""
    ends = {"reference": reference, "candidate": candidate}
    samples: list[tuple[str, dict[str, str], float]] = [
        ("completed", {}, outcome is not None),
        ("passed", {}, outcome is not None and not limits.missed(outcome)),
        ("timestamp_seconds", {}, round(now, 3)),
        ("min_agreement", {}, limits.min_agreement),
    ]
    if outcome is not None:
        if outcome.agreement is not None:
            samples.append(("agreement", {}, outcome.agreement))
        if outcome.max_abs is not None:
            samples.append(("max_abs", {}, outcome.max_abs))
        samples.append(("requests", {}, outcome.asked))
        counts = {
            "agreeing": outcome.compared - len(outcome.differing),
            "differing": len(outcome.differing),
            "failed": len(outcome.failed),
            "refused": outcome.refused,
        }
        samples += [("answers", {"outcome": name}, count) for name, count in counts.items()]
        who = {"reference_variant": outcome.reference_identity, "candidate_variant": outcome.candidate_identity}
        samples.append(("info", who | {"source": outcome.source}, 1))
    lines, seen = [], ""
    for name, labels, value in samples:
        if name != seen:
            lines += [f"# HELP {PREFIX}_{name} {HELP[name]}", f"# TYPE {PREFIX}_{name} gauge"]
            seen = name
        pairs = ",".join(f'{key}="{_escaped(found)}"' for key, found in (ends | labels).items())
        lines.append(f"{PREFIX}_{name}{{{pairs}}} {float(value)!r}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
