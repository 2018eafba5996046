"""``marline train``: head, calibration ranges and golden answers, written beside the spec."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from handlerkit import backends
from handlerkit.manifest import Golden
from handlerkit.text import Tokenizer
from marline.build import golden
from marline.build.data import load_split
from marline.build.sources import ModelSource, TextSource, load_text_source
from marline.build.sources.cache import sha256_of
from marline.build.train.head import train_head
from marline.build.variants import build_variant, variant_module
from marline.build.variants.base import Context
from marline.build.variants.describe import draft_manifest
from marline.errors import BuildError
from marline.spec.model import ModelSpec

CALIBRATION_ITEMS = 96


def train(
    spec: ModelSpec, source: ModelSource, say: Callable[[str], None], keep_head: bool = False
) -> dict[str, tuple[Path, str]]:
    """Make every trained input of a spec.

    Args:
        spec: the model.
        source: its resolved source; outputs go to ``<spec's folder>/<name>/``.
        say: called with lines of progress.
        keep_head: take the trained head that is there; only calibrate and record again.

    Returns:
        Spec key (trained, calibration, golden) to the file written and its sha256.
    """
    folder = source.base / spec.name
    folder.mkdir(exist_ok=True)
    made: dict[str, Path] = {}
    if spec.task == "tensor":
        made["golden"] = folder / "golden.json"
        golden.write(made["golden"], _record_tensor(spec, source))
    else:
        text = load_text_source(
            spec, source, trained=None if spec.training is None else _head(spec, source, folder, made, say, keep_head)
        )
        made["golden"] = folder / "golden.json"
        golden.write(made["golden"], golden.record_text(spec, text))
        if modules := _calibrating(spec):
            made["calibration"] = folder / "calibration.json"
            ranges = _calibrate(spec, source, text, modules, say)
            made["calibration"].write_text(json.dumps(ranges, indent=1, sort_keys=True) + "\n")
    return {key: (path, sha256_of(path)) for key, path in made.items()}


def _head(
    spec: ModelSpec, source: ModelSource, folder: Path, made: dict[str, Path], say: Callable[[str], None], keep: bool
) -> Path:
    if spec.training is None or spec.data is None:
        raise BuildError(f"{spec.name}: training needs `training:` and `data:` in the spec")
    made["trained"] = folder / "trained.safetensors"
    if keep and made["trained"].is_file():
        return made["trained"]
    untrained = load_text_source(spec.model_copy(update={"trained": None}), source)
    torch.set_grad_enabled(True)
    train_head(
        untrained,
        spec.training,
        load_split(spec.data, "train"),
        spec.inference_parameters.max_length,
        made["trained"],
        say,
    )
    return made["trained"]


def _calibrating(spec: ModelSpec) -> dict[str, ModuleType]:
    """The variants with a calibration of their own, by name."""
    modules = {name: variant_module(name) for name in spec.variants}
    return {name: module for name, module in modules.items() if hasattr(module, "calibrate")}


def _calibrate(
    spec: ModelSpec, source: ModelSource, text: TextSource, modules: dict[str, ModuleType], say: Callable[[str], None]
) -> dict[str, object]:
    """Each calibrated variant's section, from the calibration split alone."""
    if spec.data is None:
        raise BuildError(f"{spec.name}: calibration needs `data:` in the spec")
    tokenizer = Tokenizer(text.tokenizer, spec.inference_parameters.max_length)
    items = load_split(spec.data, "calibration")[:CALIBRATION_ITEMS]
    rows = [tokenizer.pad([e.ids]) for e in tokenizer.encode([i.text for i in items])]
    out: dict[str, object] = {}
    for variant, module in modules.items():
        say(f"calibrating {variant} on {len(rows)} items")
        with tempfile.TemporaryDirectory() as scratch:
            context = Context(spec, variant, source, text, None, Path(scratch), Path(scratch))
            out[variant] = module.calibrate(context, rows)
    return out


def _record_tensor(spec: ModelSpec, source: ModelSource) -> list[Golden]:
    with tempfile.TemporaryDirectory() as scratch:
        context = Context(spec, spec.reference, source, None, None, Path(scratch), Path(scratch))
        built = build_variant(context)
        manifest = draft_manifest(context, built)
        backend = backends.load(manifest, Path(scratch))
        out = []
        for request in golden.generated_requests(spec):
            arrays = {t.name: np.asarray(request["inputs"][t.name], dtype=t.dtype) for t in manifest.inputs}
            answers = {
                n: np.round(v.astype(np.float64), golden.DECIMALS).tolist() for n, v in backend.run(arrays).items()
            }
            out.append(Golden(request, None, answers))
        return out
