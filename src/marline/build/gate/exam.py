"""The questions the gate asks, the same for every variant of a run.

Imports no engine: a variant's memory is measured in a process that has only loaded that variant.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

BATCH = 8
Inputs = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Exam:
    """Questions and labels.

    Attributes:
        gate, test: one input set per item, unpadded, batch size 1.
        gate_labels, test_labels: index of the right label per item; empty where there is none.
        rounds: ways to compute the ``gate`` items together: each a partition of their indices into groups.
    """

    gate: list[Inputs]
    test: list[Inputs]
    gate_labels: list[int] = field(default_factory=list)
    test_labels: list[int] = field(default_factory=list)
    rounds: list[list[list[int]]] = field(default_factory=list)


def padded(inputs: list[Inputs]) -> Inputs:
    """Text inputs of batch size 1 as one padded batch."""
    width = max(i["input_ids"].shape[1] for i in inputs)
    return {
        name: np.concatenate([np.pad(i[name], ((0, 0), (0, width - i[name].shape[1]))) for i in inputs])
        for name in ("input_ids", "attention_mask")
    }
