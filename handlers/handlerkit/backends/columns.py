"""What a compiler of tensor programs must know of a text model's shapes."""

from __future__ import annotations

import numpy as np

LEAST_TOKENS = 2
"""A size of 1 is a constant to torch's compilers, and a program of its own; two columns are the fewest."""


def at_least_two(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same inputs, a single column of tokens followed by one of padding, which the mask leaves out."""
    missing = LEAST_TOKENS - inputs["input_ids"].shape[1]
    if missing <= 0:
        return inputs
    return {name: np.pad(value, ((0, 0), (0, missing))) for name, value in inputs.items()}
