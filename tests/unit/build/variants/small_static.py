"""A random two-layer encoder with outliers, and rows to calibrate it on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handlerkit.backends.text_model import TextModel
from marline.build.sources import ModelSource, TextSource
from marline.build.variants import Context
from marline.spec.model import ModelSpec

SHA = "0" * 64
LAYERS, WIDTH = 2, 32
LINEARS = 6 * LAYERS + 1
CONFIG: dict[str, Any] = {
    "model_type": "bert", "vocab_size": 22000, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 64, "hidden_act": "gelu",
}
SPEC = ModelSpec.model_validate({
    "name": "toy", "version": "1.0.0", "task": "text-classification", "licence": "MIT", "labels": ["no", "yes"], "head": "mean-linear",
    "trained": {"file": "trained.safetensors", "sha256": SHA},
    "source": {"kind": "pypi", "package": "toy", "version": "1.0", "sha256": SHA, "path": "toy/model"},
    "inference_parameters": {"max_length": 64}, "variants": {"eager-fp32": {"required": True}},
    "serving": {"min_workers": 1, "max_workers": 2},
})


def small_context(variant: str, folder: Path) -> Context:
    """A context without calibration; its folders are made anew under ``folder``."""
    torch.manual_seed(0)
    model = TextModel(CONFIG, "mean-linear", 2)
    state = {name: value * 4 if name.endswith("dense.weight") else value for name, value in model.state_dict().items()}
    weights = {name: value.numpy().copy() for name, value in state.items()}
    weights["head.weight"] *= 10
    text = TextSource(CONFIG, folder / "tokenizer.json", weights, "mean-linear", 2)
    return Context(SPEC, variant, ModelSource(folder, {}, folder), text, None, new(folder / "out"), new(folder / "shared"))


def again(context: Context, calibration: dict[str, Any], folder: Path) -> Context:
    """The same model, with a calibration, in other folders."""
    return replace(context, calibration=calibration, out=new(folder / "out"), shared=new(folder / "shared"))


def new(folder: Path) -> Path:
    """An empty folder."""
    folder.mkdir(parents=True)
    return folder


def rows(count: int = 6, tokens: int = 12, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Tokenized inputs of batch size 1 and different lengths."""
    random = np.random.default_rng(seed)
    lengths = random.integers(3, tokens, count)
    return [{"input_ids": random.integers(1000, 21000, (1, n)), "attention_mask": np.ones((1, n), np.int64)} for n in lengths]


def together(inputs: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One padded batch."""
    width = max(i["input_ids"].shape[1] for i in inputs)
    return {n: np.concatenate([np.pad(i[n], ((0, 0), (0, width - i[n].shape[1]))) for i in inputs]) for n in inputs[0]}


def sqnr_db(reference: np.ndarray, found: np.ndarray) -> float:
    """Power of the reference over power of the difference."""
    return float(10 * np.log10(np.sum(reference**2) / max(np.sum((reference - found) ** 2), 1e-20)))


def eager(context: Context, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The fp32 reference."""
    assert context.text is not None
    with torch.no_grad():
        return np.asarray(context.text.model()(*(torch.from_numpy(inputs[n]) for n in ("input_ids", "attention_mask"))))


def torchscript(path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What a file answers."""
    with torch.no_grad():
        return np.asarray(torch.jit.load(str(path))(*(torch.from_numpy(inputs[n]) for n in ("input_ids", "attention_mask"))))
