"""Replies to an outcome.  What agrees is decided by the gate's comparator, or by the archive's golden answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from marline.errors import ServeError, SourceError
from marline.rollout.replay.endpoint import Endpoint, Reply
from marline.rollout.replay.outcome import RECORDED, Difference, Outcome
from marline.rollout.replay.play import play
from marline.rollout.replay.requests import Item, Questions, loads

if TYPE_CHECKING:
    from marline.rollout.replay.answers import Answer

# the handlers' own words for a request that no variant may answer
REFUSALS = (400, 413)
MIN_EMBEDDINGS = 3


def against_endpoint(
    reference: Endpoint, candidate: Endpoint, questions: Questions, max_abs: float | None, concurrency: int
) -> Outcome:
    """Ask two endpoints and compare their answers.

    Args:
        reference: whose answers count as right.
        candidate: whose answers are compared with them.
        questions: what to ask.
        max_abs: of a tensor model, the largest difference that two equal answers show; None for the gate's.
        concurrency: most requests in flight at each endpoint.

    Raises:
        ServeError: when an endpoint does not answer, or several variants answer behind one address.
    """
    replies = play([reference, candidate], questions.items, concurrency)
    sides = [(item, one, other) for item, (one, other) in zip(questions.items, replies, strict=True)]
    return compared(questions, reference.address, candidate, sides, max_abs)


def against_records(candidate: Endpoint, questions: Questions, max_abs: float | None, concurrency: int) -> Outcome:
    """Ask one endpoint and compare its answers with the recorded ones.

    Golden answers are compared as the pods' own check compares them, within the archive's tolerance.

    Args:
        candidate: whom to ask.
        questions: what to ask; every item has a recorded answer.
        max_abs: of a tensor model, the largest difference that two equal answers show; None for the gate's.
        concurrency: most requests in flight.

    Raises:
        SourceError: when an item has no recorded answer.
        ServeError: when the endpoint does not answer, or several variants answer behind its address.
    """
    golden = questions.manifest is not None
    if bare := [i.id for i in questions.items if (i.golden if golden else i.answer) is None]:
        raise SourceError(
            f"{questions.source}: item {bare[0]} has no recorded answer to compare with; "
            "name a second endpoint, or record answers with `--record`"
        )
    replies = [reply for (reply,) in play([candidate], questions.items, concurrency)]
    if questions.manifest is not None:
        from marline.rollout.replay.golden import as_golden

        return as_golden(candidate, questions, questions.manifest, replies)
    sides = [
        (item, Reply(200, json.dumps(item.answer).encode()), reply)
        for item, reply in zip(questions.items, replies, strict=True)
    ]
    return compared(questions, RECORDED, candidate, sides, max_abs)


def compared(
    questions: Questions,
    reference: str,
    candidate: Endpoint,
    sides: Sequence[tuple[Item, Reply, Reply]],
    max_abs: float | None,
) -> Outcome:
    """Compare replies that are there already.

    Args:
        questions: what was asked.
        reference: address of the endpoint whose answers count as right.
        candidate: whose answers are compared with them.
        sides: each item with the reference's reply and the candidate's.
        max_abs: as in :func:`against_endpoint`.

    Raises:
        ServeError: when several variants answered behind one address.
        SourceError: for fewer than three embeddings.
    """
    from marline.build.gate.compare import compare
    from marline.rollout.replay.answers import rows

    pairs: list[tuple[str, Item, Answer, Answer]] = []
    failed: list[Difference] = []
    refused = 0
    for item, one, other in sides:
        if one.status == other.status and one.status in REFUSALS:
            refused += 1
            continue
        found = _pairs(item, one, other, pairs[0][2] if pairs else None)
        if isinstance(found, str):
            failed.append(Difference(item.id, item.request, found))
        else:
            several = len(found) > 1
            pairs += [(f"{item.id}[{n}]" if several else item.id, item, a, b) for n, (a, b) in enumerate(found)]
    references, found_answers = [a for _, _, a, _ in pairs], [b for _, _, _, b in pairs]
    agreement, largest, differing = None, None, []
    if pairs:
        _refuse_vacuous(references)
        names = list(references[0].numbers)
        allowed = _allowed(questions, found_answers[0]) if max_abs is None else max_abs
        difference = compare(rows(references, names), rows(found_answers, names), references[0].task, allowed)
        agreement, largest = difference.agreement, difference.max_abs
        for index in difference.disagreeing:
            name, item, a, b = pairs[index]
            differing.append(Difference(name, item.request, f"{b} instead of {a}"))
    return Outcome(
        source=questions.source,
        reference=reference,
        candidate=candidate.address,
        reference_identity=_identity(reference, references),
        candidate_identity=_identity(candidate.address, found_answers),
        asked=len(sides),
        compared=len(pairs),
        refused=refused,
        agreement=agreement,
        max_abs=largest,
        differing=tuple(differing),
        failed=tuple(failed),
    )


def _refuse_vacuous(references: Sequence[Answer]) -> None:
    """An embedding's answer is the nearest other one: of two, that is always the same."""
    if references[0].task == "embedding" and len(references) < MIN_EMBEDDINGS:
        raise SourceError(
            f"{len(references)} embeddings were compared, each by which other one is nearest, and at least "
            f"{MIN_EMBEDDINGS} are needed for that; replay more requests"
        )


def _allowed(questions: Questions, found: Answer) -> float:
    """The gate's own limit for the variant that answered, else the gate's default."""
    from marline.spec.gates import Gates

    variant = found.identity.split()[-1]
    return questions.max_abs[variant] if variant in questions.max_abs else Gates().max_abs


def _pairs(item: Item, one: Reply, other: Reply, first: Answer | None) -> list[tuple[Answer, Answer]] | str:
    """Two replies as pairs of answers, or why they cannot be compared."""
    from marline.rollout.replay.answers import mismatch

    a, b = answers_of(one), answers_of(other)
    if isinstance(a, str) or isinstance(b, str):
        wrong = [f"the {who} gave {x}" for who, x in (("reference", a), ("candidate", b)) if isinstance(x, str)]
        return ", ".join(wrong)
    if len(a) != len(b):
        return f"the candidate gave {len(b)} answers instead of {len(a)}"
    for one_answer, other_answer in zip(a, b, strict=True):
        if wrong_kind := mismatch(one_answer, other_answer):
            return f"the candidate gave {wrong_kind}"
        if first is not None and (first.task, set(first.numbers)) != (one_answer.task, set(one_answer.numbers)):
            return "the reference gave an answer of another kind than before"
    return list(zip(a, b, strict=True))


def answers_of(reply: Reply) -> list[Answer] | str:
    """The answers in a reply, or a phrase that says what it holds instead."""
    from marline.rollout.replay.answers import Unreadable, read

    shown = " ".join(reply.body[:200].decode(errors="replace").split())
    if reply.status is None:
        return f"no answer ({shown})"
    if reply.status != 200:
        return f"status {reply.status}: {shown}"
    try:
        return read(loads(reply.body))
    except Unreadable as error:
        return str(error)
    except ValueError:
        return f"no JSON document: {shown}"


def _identity(address: str, answers: Sequence[Answer]) -> str:
    found = sorted({a.identity for a in answers})
    if len(found) > 1:
        raise ServeError(
            f"{address}: {len(found)} variants answered ({', '.join(found)}), so nothing can be said of one of them; "
            "replay to the address of one variant"
        )
    return found[0] if found else "?"
