"""Makes the exam: from the spec's labelled data, or from its declared tensors."""

from __future__ import annotations

import numpy as np

from handlerkit.text import Tokenizer
from marline.build.data import load_split
from marline.build.gate.exam import BATCH, Exam, Inputs
from marline.build.sources import TextSource
from marline.build.variants.base import declared_tensors
from marline.errors import BuildError
from marline.spec.model import ModelSpec, TensorSpec

TENSOR_EXAMPLES = 64


def text_exam(spec: ModelSpec, text: TextSource) -> Exam:
    """Gate and test split of the spec's data, tokenized, and two ways to compute the gate's items together.

    Strangers by a fixed shuffle, with all the padding that brings; and neighbours in length, as a handler
    groups them, with next to none.
    """
    if spec.data is None:
        raise BuildError(f"{spec.name}: has no `data:`, so the gate has no questions; add it to the spec")
    tokenizer = Tokenizer(text.tokenizer, spec.inference_parameters.max_length)
    gate, test = load_split(spec.data, "gate"), load_split(spec.data, "test")
    labelled = spec.task == "text-classification"
    encoded = tokenizer.encode([i.text for i in gate])
    shuffled = np.random.default_rng(0).permutation(len(gate)).tolist()
    by_length = sorted(range(len(gate)), key=lambda index: (len(encoded[index].ids), index))
    return Exam(
        gate=[tokenizer.pad([e.ids]) for e in encoded],
        test=[tokenizer.pad([e.ids]) for e in tokenizer.encode([i.text for i in test])] if labelled else [],
        gate_labels=[i.label for i in gate] if labelled else [],
        test_labels=[i.label for i in test] if labelled else [],
        rounds=[[o[i : i + BATCH] for i in range(0, len(o), BATCH)] for o in (shuffled, by_length)],
    )


def tensor_exam(spec: ModelSpec) -> Exam:
    """Generated inputs at changing phases and sizes; a tensor model's batch is its own affair."""
    return Exam(gate=[generated(spec.inputs, number) for number in range(TENSOR_EXAMPLES)], test=[])


def generated(specs: list[TensorSpec], number: int) -> Inputs:
    """Example ``number`` for the declared inputs: the spec's ``example`` value, or a wave.

    The wave has a frequency of its own per example, amplitude 0.5 and no randomness, so that every
    machine asks the same.
    """
    out: Inputs = {}
    for spec, tensor in zip(specs, declared_tensors(specs), strict=True):
        shape = tuple(
            d if isinstance(d, int) else d.min + number % (min(d.max, d.min + 7) - d.min + 1) for d in tensor.shape
        )
        size = int(np.prod(shape, dtype=np.int64))
        values = (
            np.full(size, spec.example)
            if spec.example is not None
            else 0.5 * np.sin(np.arange(size) * 0.01 * (number + 1))
        )
        out[spec.name] = values.reshape(shape).astype(spec.dtype)
    return out
