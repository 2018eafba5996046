"""An answer's body to what the comparator compares: rows of numbers, and for whom they speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Row = npt.NDArray[np.float64]


class Unreadable(ValueError):
    """A body that is no answer of a marline handler; the text is a phrase that says why."""


@dataclass(frozen=True)
class Answer:
    """One item's answer.

    Attributes:
        task: what kind of model gives such answers.
        label: of a classifier.
        numbers: by name: scores of a classifier, the embedding, the outputs of a tensor model.
        identity: model, version and variant that it says it is from.
    """

    task: str
    label: str | None
    numbers: Mapping[str, Row]
    identity: str

    def __str__(self) -> str:
        """For people, one short phrase."""
        if self.label is not None:
            return f"{self.label} {float(self.numbers[self.label]):.4f}"
        return ", ".join(f"{name} {_short(value)}" for name, value in self.numbers.items())


def read(document: Any) -> list[Answer]:
    """The answers in a decoded body: one, or one per item of a list or of ``predictions``.

    Raises:
        Unreadable: for anything else.
    """
    if isinstance(document, Mapping) and "predictions" in document:
        document = document["predictions"]
    listed = document if isinstance(document, list) else [document]
    if not listed:
        raise Unreadable("an empty list of answers")
    return [_answer(entry) for entry in listed]


def _answer(entry: Any) -> Answer:
    if not isinstance(entry, Mapping):
        raise Unreadable(f"a {type(entry).__name__} instead of an answer")
    identity = " ".join(str(entry.get(key, "?")) for key in ("model", "model_version", "variant"))
    for task, key in (("text-classification", "scores"), ("embedding", "embedding"), ("tensor", "outputs")):
        if key in entry:
            found = {key: entry[key]} if task == "embedding" else entry[key]
            if not isinstance(found, Mapping) or not found:
                raise Unreadable(f"{key!r} without names")
            numbers = {str(name): _numbers(str(name), value) for name, value in found.items()}
            return Answer(task, _label(entry, numbers) if key == "scores" else None, numbers, identity)
    raise Unreadable(
        f"an object without scores, embedding or outputs: {', '.join(map(repr, list(entry)[:5])) or 'empty'}"
    )


def _numbers(name: str, value: Any) -> Row:
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{name!r} is no rectangular array") from error
    if array.dtype.kind not in "iufb":
        raise Unreadable(f"{name!r} is no array of numbers")
    if not np.isfinite(array).all():
        raise Unreadable(f"{name!r} holds a number that is not finite")
    return array.astype(np.float64)


def _label(entry: Mapping[str, Any], scores: Mapping[str, Row]) -> str:
    label = entry.get("label")
    if not isinstance(label, str) or label not in scores or any(score.ndim for score in scores.values()):
        raise Unreadable(f"label {label!r}, which has no score")
    if float(scores[label]) < max(float(score) for score in scores.values()):
        raise Unreadable(f"label {label!r}, whose score is not the largest")
    return label


def mismatch(reference: Answer, found: Answer) -> str:
    """Why two answers cannot be compared; empty when they can."""
    if reference.task != found.task:
        return f"an answer of a {found.task} model instead of a {reference.task} model"
    if set(reference.numbers) != set(found.numbers):
        return f"names {', '.join(sorted(found.numbers))} instead of {', '.join(sorted(reference.numbers))}"
    for name, value in reference.numbers.items():
        if value.shape != found.numbers[name].shape:
            return f"{name!r} has shape {list(found.numbers[name].shape)} instead of {list(value.shape)}"
    return ""


def rows(answers: Sequence[Answer], names: Sequence[str]) -> Row:
    """One row per answer.

    Args:
        answers: of one task.
        names: order of the numbers; that of a classifier's labels.

    Rows of a tensor model may have any number of outputs: zeros, equal on both sides, fill them up, as in the gate.
    """
    flat = [np.concatenate([a.numbers[name].reshape(-1) for name in names]) for a in answers]
    for row, answer in zip(flat, answers, strict=True):
        if answer.label is not None:
            # scores are rounded: of two equal ones the label says which was larger
            best = names.index(answer.label)
            row[best] = np.nextafter(row[best], np.inf)
    width = max(len(row) for row in flat)
    return np.stack([np.pad(row, (0, width - len(row))) for row in flat])


def _short(value: Row) -> str:
    shown = ", ".join(f"{v:.4g}" for v in value.reshape(-1)[:4])
    return f"[{shown}{', ...' if value.size > 4 else ''}]" if value.ndim else shown
