"""The comparator: two sets of outputs for the same questions.  Gate, rollout and replay all use it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Outputs = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Difference:
    """How far outputs (items, width) are from the reference's.

    Outputs that are not finite are infinitely far: ``max_abs`` is inf, ``sqnr_db`` -200.

    Attributes:
        max_abs: largest absolute difference of any number.
        cosine: between all numbers of the one and all numbers of the other.
        sqnr_db: 10 log10(power of the reference / power of the difference), over all items; 200 for none.
        agreement: share of items with the same answer.
        disagreeing: indices of the others.
    """

    max_abs: float
    cosine: float
    sqnr_db: float
    agreement: float
    disagreeing: tuple[int, ...]


def compare(reference: Outputs, found: Outputs, task: str, max_abs: float) -> Difference:
    """Compare outputs row by row.

    The answer of a row is its largest output (text-classification), its nearest other row by cosine
    (embedding), or that no number is further than ``max_abs`` from the reference's (tensor).

    Raises:
        ValueError: when the shapes differ.
    """
    a, b = np.asarray(reference, np.float64), np.asarray(found, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"outputs have shape {b.shape}, the reference's {a.shape}")
    gap = np.abs(a - b)
    same = _same_answers(a, b, task, max_abs)
    noise = float(np.sum((a - b) ** 2))
    power = max(float(np.sum(a**2)), 1e-300)
    sqnr = 200.0 if noise == 0 else 10 * float(np.log10(power / noise)) if np.isfinite(noise) else -200.0
    return Difference(
        max_abs=float(gap.max(initial=0.0)) if np.isfinite(b).all() else float("inf"),
        cosine=_cosine(a, b),
        sqnr_db=min(200.0, sqnr),
        agreement=float(same.mean()),
        disagreeing=tuple(int(i) for i in np.flatnonzero(~same)),
    )


def _same_answers(a: Outputs, b: Outputs, task: str, max_abs: float) -> npt.NDArray[np.bool_]:
    if task == "text-classification":
        return np.asarray(a.argmax(1) == b.argmax(1))
    if task == "embedding":
        return np.asarray(_nearest(a) == _nearest(b))
    return np.asarray(np.abs(a - b).max(axis=1, initial=0.0) <= max_abs)


def _nearest(rows: Outputs) -> npt.NDArray[np.intp]:
    similar = rows @ rows.T
    np.fill_diagonal(similar, -np.inf)
    return np.asarray(similar.argmax(1))


def _cosine(a: Outputs, b: Outputs) -> float:
    """One number for the whole run: two logits near zero have no direction worth comparing."""
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths == 0:
        return 1.0 if np.array_equal(a, b) else 0.0
    return float(np.sum(a * b)) / lengths
