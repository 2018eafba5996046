"""The valid parts of an invalid release: what only the store or a model's spec shows is found beside its other problems."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from marline.rollout.facts import Facts, Measured
from marline.spec.base import BrokenRules
from marline.spec.release import Drain, Front, ReleaseSpec, ReleaseVariant

Model = TypeVar("Model", bound=BaseModel)
# each round takes out at least one wrong value
ROUNDS = 50


def salvage(data: dict[str, Any]) -> ReleaseSpec:
    """Endpoints, front and drain of a release, without the values that are wrong.

    Not every key that a release requires is there; the chart's values that follow are of no use.
    """
    own = data.get("variants")
    parts = {name: _valid(ReleaseVariant, part) for name, part in (own.items() if isinstance(own, dict) else ())}
    return ReleaseSpec.model_construct(
        variants={name: part for name, part in parts.items() if part is not None},
        front=_valid(Front, data.get("front", {})) or Front(),
        drain=_valid(Drain, data.get("drain", {})) or Drain(),
    )


def stand_in(wanted: ReleaseVariant) -> Facts:
    """Facts of an artifact that nobody knows, such that they break no rule themselves."""
    measured = Measured(cpu_class="unknown", mean_ms=1e9, variation=0, rss_mb=0)
    own = {"model": wanted.model, "version": wanted.version, "variant": wanted.variant}
    return Facts(**own, sha256="0" * 64, size_bytes=1, format="onnx", cpu_flags=[], example=None, measured=measured)


def _valid(kind: type[Model], data: Any) -> Model | None:
    """``data`` without its wrong values as a ``kind``; None where it lacks a required one."""
    left = copy.deepcopy(data)
    for _ in range(ROUNDS):
        try:
            return kind.model_validate(left)
        except ValidationError as error:
            wrong = [(*problem["loc"], *key) for problem in error.errors() for key in _keys(problem)]
            taken = [_take_out(left, path) for path in wrong]
            if not any(taken):
                return None
    return None


def _keys(problem: Any) -> list[tuple[str, ...]]:
    """Below a problem's own place, the keys that a broken rule is about."""
    cause = problem.get("ctx", {}).get("error")
    return [key for key, _ in cause.problems] if isinstance(cause, BrokenRules) else [()]


def _take_out(data: Any, path: tuple[int | str, ...]) -> bool:
    """Remove the deepest mapping's key on ``path``, which may also name members of unions; False where there is none."""
    found = None
    for part in path:
        if isinstance(data, dict) and part in data:
            found = (data, part)
            data = data[part]
        elif not isinstance(data, dict):
            break
    if found is None:
        return False
    del found[0][found[1]]
    return True
