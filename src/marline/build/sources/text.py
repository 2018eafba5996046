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
from transformers import CONFIG_MAPPING

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
        model.eval().requires_grad_(False)
        return model


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
    classes = max(1, len(spec.labels))
    config = _config(folder / "config.json")
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
            weights = merge(weights, _trained(path), path)
            for name, value in skeleton.items():
                if name not in weights or weights[name].shape != tuple(value.shape):
                    raise SourceError(
                        f"{path}: has no {name} of shape {tuple(value.shape)}, as {spec.name} needs with {classes} labels; "
                        f"train it again with `marline train {spec.name}`"
                    )
    return TextSource(config, folder / "tokenizer.json", weights, spec.head, classes)


def merge(weights: dict[str, Array], trained: dict[str, Array], path: Path) -> dict[str, Array]:
    """Add low-rank updates ``scale * B @ A`` and set the head.

    Summed as float64 outer products, element by element, so that every CPU gets the same bits: a
    matrix product's order of summation depends on the instruction set.
    """
    out = dict(weights)
    for name, value in trained.items():
        if name in ("head.weight", "head.bias"):
            out[name] = value.astype(np.float32)
            continue
        base = name.removesuffix(".lora_a").removesuffix(".lora_b")
        weight, a, b = weights.get(f"{base}.weight"), trained.get(f"{base}.lora_a"), trained.get(f"{base}.lora_b")
        if base == name or weight is None or a is None or b is None or (*b.shape, *a.shape) != (
            weight.shape[0], len(a), len(a), weight.shape[-1]
        ):  # fmt: skip
            raise SourceError(f"{path}: {name} fits no weight of the encoder; train it again with `marline train`")
        if name.endswith(".lora_a"):
            delta = np.zeros(weight.shape)
            for rank in range(len(a)):
                delta += b[:, rank, None].astype(np.float64) * a[None, rank, :].astype(np.float64)
            out[f"{base}.weight"] = (weight.astype(np.float64) + LORA_SCALE * delta).astype(np.float32)
    return out


def _trained(path: Path) -> dict[str, Array]:
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise SourceError(
            f"{path}: is not a safetensors file ({error}); train it again with `marline train`"
        ) from error


def _config(path: Path) -> dict[str, Any]:
    """The configuration without what only describes where it came from."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise SourceError(f"{path}: is not JSON ({error}); fetch it again") from error
    if not isinstance(found, dict) or found.get("model_type") not in CONFIG_MAPPING:
        kind = found.get("model_type") if isinstance(found, dict) else None
        raise SourceError(
            f"{path}: names no model_type that transformers knows, but {kind!r}; correct `source` in the spec"
        )
    return {
        k: v for k, v in found.items() if k not in ("_name_or_path", "transformers_version", "torch_dtype", "dtype")
    }
