"""A text encoder with its head merged: configuration, tokenizer and one state dict of fp32 arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from handlerkit.backends.text_model import TextModel
from marline.build.sources.resolve import ModelSource
from marline.errors import SourceError
from marline.spec.model import ModelSpec

Array = npt.NDArray[np.float32]
LORA_SCALE = 2.0


@dataclass(frozen=True)
class TextSource:
    """Everything variants are built from; ``weights`` are those of :class:`TextModel`."""

    config: dict[str, Any]
    tokenizer: Path
    weights: dict[str, Array]
    head: str
    classes: int

    def model(self) -> TextModel:
        """The reference module in eval mode, gradients off."""
        model = TextModel(self.config, self.head, self.classes)
        model.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()}, strict=True)
        return model.eval().requires_grad_(False)


def load_text_source(spec: ModelSpec, source: ModelSource, trained: Path | None = None) -> TextSource:
    """Read encoder and head.

    Args:
        spec: names head and labels.
        source: the encoder's folder.
        trained: the file of trained low-rank updates and head; the spec's own if None.

    Raises:
        SourceError: when the folder's files do not fit the architecture that its config names.
    """
    folder = source.path
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise SourceError(
                f"{folder}: has no {name}; a text model's source needs config.json, model.safetensors and tokenizer.json"
            )
    config = _essential(json.loads((folder / "config.json").read_text()))
    classes = max(1, len(spec.labels))
    try:
        found = load_file(folder / "model.safetensors")
    except SafetensorError as error:
        raise SourceError(
            f"{folder / 'model.safetensors'}: is not a safetensors file ({error}); fetch it again"
        ) from error
    assert spec.head is not None
    skeleton = TextModel(config, spec.head, classes).state_dict()
    weights: dict[str, Array] = {}
    for name, value in skeleton.items():
        if name.startswith("head."):
            continue
        key = next((k for k in (name.removeprefix("encoder."), name) if k in found), None)
        if key is None or found[key].shape != tuple(value.shape):
            raise SourceError(
                f"{folder / 'model.safetensors'}: has no {name.removeprefix('encoder.')} of shape {tuple(value.shape)} as "
                f"{config['model_type']} needs; check `source` and `head` of {spec.name}"
            )
        weights[name] = np.asarray(found[key], dtype=np.float32)
    if spec.head == "mean-linear":
        path = trained or (source.input(spec.trained.file) if spec.trained else None)
        if path is None:
            weights |= {
                "head.weight": np.zeros((classes, config["hidden_size"]), np.float32),
                "head.bias": np.zeros(classes, np.float32),
            }
        else:
            weights = merge(weights, load_file(path), path)
    return TextSource(config, folder / "tokenizer.json", weights, spec.head, classes)


def merge(weights: dict[str, Array], trained: dict[str, Array], path: Path) -> dict[str, Array]:
    """Add low-rank updates ``scale * B @ A`` and set the head.

    Summed as float64 outer products, element by element, so that every CPU gets the same bits: a
    matrix product's order of summation depends on the instruction set.
    """
    out = dict(weights)
    for name, value in trained.items():
        if name.startswith("head."):
            out[name] = value.astype(np.float32)
        elif name.endswith(".lora_a"):
            base = name.removesuffix(".lora_a")
            if f"{base}.weight" not in out or f"{base}.lora_b" not in trained:
                raise SourceError(f"{path}: {name} fits no weight of the encoder; train it again with `marline train`")
            a, b = value.astype(np.float64), trained[f"{base}.lora_b"].astype(np.float64)
            delta = np.zeros(out[f"{base}.weight"].shape)
            for rank in range(a.shape[0]):
                delta += b[:, rank, None] * a[None, rank, :]
            out[f"{base}.weight"] = (out[f"{base}.weight"].astype(np.float64) + LORA_SCALE * delta).astype(np.float32)
    return out


def _essential(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what only describes where it came from."""
    return {
        k: v for k, v in config.items() if k not in ("_name_or_path", "transformers_version", "torch_dtype", "dtype")
    }
