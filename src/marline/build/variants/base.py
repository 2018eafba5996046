"""What every variant is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlerkit.manifest import Dim, Tensor
from marline.build.sources import ModelSource, TextSource
from marline.spec.model import ModelSpec, TensorSpec


@dataclass(frozen=True)
class Context:
    """One variant's build.

    Attributes:
        spec: the model's spec.
        variant: the name that the artifact must live up to.
        source: the resolved source.
        text: the text model, None for a tensor model.
        calibration: the variant's section of the calibration file, for calibrated variants.
        out: empty folder to write the artifact's files into.
        shared: folder for intermediate results that several variants of one build use.
    """

    spec: ModelSpec
    variant: str
    source: ModelSource
    text: TextSource | None
    calibration: Mapping[str, Any] | None
    out: Path
    shared: Path


@dataclass(frozen=True)
class Built:
    """Files written into ``Context.out``, the packages a worker needs, and facts that were checked."""

    files: tuple[str, ...]
    packages: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def text_tensors(spec: ModelSpec, width: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of a text model; ``width`` is the size of its output."""
    shape = (Dim("batch", 1, 256), Dim("tokens", 1, spec.inference_parameters.max_length))
    name = "embedding" if spec.task == "embedding" else "logits"
    inputs = tuple(Tensor(n, "int64", shape) for n in ("input_ids", "attention_mask"))
    return inputs, (Tensor(name, "float32", (shape[0], width)),)


def declared_tensors(specs: list[TensorSpec]) -> tuple[Tensor, ...]:
    """A bring-your-own model's tensors as the manifest has them."""
    return tuple(
        Tensor(s.name, s.dtype, tuple(d if isinstance(d, int) else Dim(d.name, d.min, d.max) for d in s.shape))
        for s in specs
    )
