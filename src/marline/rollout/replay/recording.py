"""Requests with one endpoint's answers, to be compared with another's later."""

from __future__ import annotations

from dataclasses import replace

from marline.errors import ServeError
from marline.rollout.replay.endpoint import Endpoint
from marline.rollout.replay.judge import answers_of
from marline.rollout.replay.play import play
from marline.rollout.replay.requests import Item, Questions, loads


def answered(endpoint: Endpoint, questions: Questions, concurrency: int) -> list[Item]:
    """Ask everything once and keep each answer beside its request.

    Raises:
        ServeError: for the first request without a readable answer: a record with holes would compare less than it says.
    """
    out = []
    for item, (reply,) in zip(questions.items, play([endpoint], questions.items, concurrency), strict=True):
        if isinstance(found := answers_of(reply), str):
            raise ServeError(
                f"{endpoint.address}: request {item.id} cannot be recorded, the endpoint gave {found}; "
                "leave the request out, or see to the endpoint"
            )
        out.append(replace(item, answer=loads(reply.body), golden=None))
    return out
