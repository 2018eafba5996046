"""What is asked: the gate's own questions, never invented ones."""

from __future__ import annotations

import json

import numpy as np

from marline.build.data import load_split
from marline.errors import BenchError
from marline.spec.model import ModelSpec


def bodies(spec: ModelSpec, most: int) -> list[bytes]:
    """Request bodies in the gate's mix of lengths, in a fixed shuffled order.

    Args:
        spec: of a text model with labelled data, or of a tensor model.
        most: how many; fewer where the gate has fewer.

    Raises:
        BenchError: for a text model without data.
    """
    if spec.task == "tensor":
        from marline.build.gate.questions import TENSOR_EXAMPLES, generated

        examples = (generated(spec.inputs, number) for number in range(min(most, TENSOR_EXAMPLES)))
        return [json.dumps({"inputs": {k: v.tolist() for k, v in one.items()}}).encode() for one in examples]
    if spec.data is None:
        raise BenchError(f"{spec.name}: has no `data:`, so there are no questions to profile with; add it to the spec")
    items = load_split(spec.data, "gate")
    order = np.random.default_rng(0).permutation(len(items))[:most]
    return [json.dumps({"text": items[i].text}, ensure_ascii=False).encode() for i in order]
