"""Exposures and outcomes by request id, and a count of all that does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from marline.rollout.outcomes.exposures import Exposures


@dataclass(frozen=True)
class Counts:
    """What was left out.

    Attributes:
        duplicates: outcomes of a request that had one already; the first counts, so that no past is changed.
        strangers: outcomes of requests that no exposure is known of.
        elsewhere: outcomes of requests that neither arm answered.
        conflicting: requests that several endpoints answered; none of them gets the outcome.
        exposed_again: exposures that were known already.
        ignored: lines among the exposures that are none.
    """

    duplicates: int = 0
    strangers: int = 0
    elsewhere: int = 0
    conflicting: int = 0
    exposed_again: int = 0
    ignored: int = 0


@dataclass(frozen=True)
class Joined:
    """Outcomes of the two arms, in the order in which they came in.

    Attributes:
        stable: endpoint.
        candidate: endpoint.
        values: for each outcome, whether it is the candidate's, and the value from 0 to 1.
        exposed: requests that stable and candidate answered.
        counts: what was left out.
        endpoints: all that answered anything.
    """

    stable: str
    candidate: str
    values: tuple[tuple[bool, float], ...]
    exposed: tuple[int, int]
    counts: Counts
    endpoints: tuple[str, ...]


def join(exposures: Exposures, outcomes: Iterable[tuple[str, float]], stable: str, candidate: str) -> Joined:
    """Give each outcome to the arm that answered its request.

    Args:
        exposures: who answered what; complete at least for the requests that have outcomes.
        outcomes: request ids and values, in the order in which they came in.
        stable: its endpoint.
        candidate: its endpoint.
    """
    seen: set[str] = set()
    values: list[tuple[bool, float]] = []
    duplicates = strangers = elsewhere = 0
    for request_id, value in outcomes:
        if request_id not in exposures.endpoints:
            strangers += 1
        elif request_id in seen:
            duplicates += 1
        elif (endpoint := exposures.endpoints[request_id]) in (stable, candidate):
            seen.add(request_id)
            values.append((endpoint == candidate, value))
        elif endpoint is not None:
            elsewhere += 1
    counts = Counts(duplicates, strangers, elsewhere, exposures.conflicting, exposures.again, exposures.ignored)
    exposed = (exposures.of(stable), exposures.of(candidate))
    names = tuple(sorted({each for each in exposures.endpoints.values() if each is not None}))
    return Joined(stable, candidate, tuple(values), exposed, counts, names)
