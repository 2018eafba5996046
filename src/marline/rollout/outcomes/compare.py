"""From files, or a command, to the verdict."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from marline.errors import MarlineError
from marline.rollout.outcomes import files, results
from marline.rollout.outcomes.exposures import Exposures
from marline.rollout.outcomes.join import join
from marline.rollout.outcomes.judge import Judgement, Terms, judge

TIMEOUT_S = 60.0


def compare(
    exposures: Path,
    outcomes: Path | Sequence[str],
    stable: str,
    candidate: str,
    terms: Terms,
    timeout_s: float = TIMEOUT_S,
) -> Judgement:
    """Judge two endpoints by what became of their requests.

    Args:
        exposures: lines of access logs, JSON with ``request_id`` and ``endpoint``.
        outcomes: a file of JSON lines with ``request_id`` and ``value`` (0 to 1, more is better), or a command that
            writes them to its standard output; at each look the lines of the last one, and new ones behind them.
        stable: endpoint that the candidate is compared with.
        candidate: the other endpoint.
        terms: the same at each look.
        timeout_s: seconds that the command may take.

    Raises:
        MarlineError: when both are the same endpoint.
        SourceError: for lines that cannot be had or read.
    """
    if stable == candidate:
        raise MarlineError(f"both arms are the endpoint {stable!r}; name two endpoints of the release")
    if isinstance(outcomes, Path):
        lines, where = files.lines(outcomes), str(outcomes)
    else:
        lines, where = files.said(outcomes, timeout_s), f"output of `{shlex.join(outcomes)}`"
    # outcomes first: what is answered while they are read is then among the exposures
    known = list(results.read(lines, where))
    shown = Exposures.read(files.lines(exposures), str(exposures))
    return judge(join(shown, known, stable, candidate), terms)
