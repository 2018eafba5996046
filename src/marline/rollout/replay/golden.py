"""One endpoint against the golden answers of its archive, compared as the pods' own check compares them."""

from __future__ import annotations

from collections.abc import Sequence

from handlerkit.manifest import Manifest
from marline.agent.golden import difference
from marline.rollout.replay.endpoint import Endpoint, Reply
from marline.rollout.replay.judge import answers_of
from marline.rollout.replay.outcome import RECORDED, Difference, Outcome
from marline.rollout.replay.requests import Questions


def as_golden(candidate: Endpoint, questions: Questions, manifest: Manifest, replies: Sequence[Reply]) -> Outcome:
    """Compare replies with an archive's record: from that very artifact, same label, outputs within its tolerance.

    Args:
        candidate: who was asked.
        questions: golden requests.
        manifest: of the archive that holds them.
        replies: one per request.
    """
    differing, failed = [], []
    for item, reply in zip(questions.items, replies, strict=True):
        assert item.golden is not None
        if reply.status != 200:
            failed.append(Difference(item.id, item.request, f"the candidate gave {answers_of(reply)}"))
        elif wrong := difference(manifest, item.golden, reply.status, reply.body):
            differing.append(Difference(item.id, item.request, wrong))
    compared = len(replies) - len(failed)
    speaking = [found[0].identity for reply in replies if isinstance(found := answers_of(reply), list)]
    return Outcome(
        source=questions.source,
        reference=RECORDED,
        candidate=candidate.address,
        reference_identity=f"{manifest.model} {manifest.version} {manifest.variant}",
        candidate_identity=" and ".join(sorted(set(speaking))) or "?",
        asked=len(replies),
        compared=compared,
        refused=0,
        agreement=(compared - len(differing)) / compared if compared else None,
        max_abs=None,
        differing=tuple(differing),
        failed=tuple(failed),
    )
