"""What a replay found, and which limits it misses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RECORDED = "recorded answers"


@dataclass(frozen=True)
class Difference:
    """One item that is not as it should be.

    Attributes:
        id: the item's; ``7[2]`` is the third answer to the request ``7``.
        request: what was sent.
        reason: a phrase with both answers, or with what went wrong.
    """

    id: str
    request: Any
    reason: str


@dataclass(frozen=True)
class Outcome:
    """A whole replay.

    Attributes:
        source: of the requests.
        reference: address, or ``RECORDED``.
        candidate: address.
        reference_identity: model, version and variant that answered there.
        candidate_identity: the same of the candidate.
        asked: requests that were sent.
        compared: answers that were compared; a request may have several.
        refused: requests that both sides refused with the same status, 400 or 413.
        agreement: share of compared answers that agree, as the comparator defines it; None where none was compared.
        max_abs: largest absolute difference of any number that answers show (a classifier's are scores, where
            the build report has logits); None where only right and wrong were compared.
        differing: answers that do not agree.
        failed: requests without two answers that can be compared.
    """

    source: str
    reference: str
    candidate: str
    reference_identity: str
    candidate_identity: str
    asked: int
    compared: int
    refused: int
    agreement: float | None
    max_abs: float | None
    differing: tuple[Difference, ...]
    failed: tuple[Difference, ...]

    def document(self) -> dict[str, Any]:
        """JSON-ready, with every item."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """What a replay must keep.

    Attributes:
        min_agreement: smallest share of compared answers that agree.
        max_failed: most requests that could not be compared.
    """

    min_agreement: float = 1.0
    max_failed: int = 0

    def missed(self, outcome: Outcome) -> list[str]:
        """Each limit that is not kept, with what was found; an outcome that compared nothing keeps none."""
        found = []
        if outcome.agreement is None:
            found.append("no answers could be compared")
        elif not outcome.agreement >= self.min_agreement:
            found.append(f"agreement {outcome.agreement:.6f}, allowed at least {self.min_agreement:g}")
        if len(outcome.failed) > self.max_failed:
            found.append(f"{len(outcome.failed)} requests failed, allowed {self.max_failed}")
        return found
