"""Rules that span keys, each with the path of the key it is about and one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marline.spec.base import Problem
from marline.spec.gates import default_gates
from marline.spec.names import REFERENCE, TENSOR_FORMATS, VARIANTS

if TYPE_CHECKING:
    from marline.spec.model import ModelSpec

HEADS = {"text-classification": ("mean-linear", "native"), "embedding": ("mean-normalize",)}
TEXT_ONLY = ("head", "trained", "calibration", "golden_texts", "data", "training")


def cross_field_problems(spec: ModelSpec) -> list[Problem]:
    """Every broken rule of a spec whose single values are all valid."""
    own = _tensor_model(spec) if spec.task == "tensor" else _text_model(spec)
    return [*_variants(spec), *_labels(spec), *own]


def _variants(spec: ModelSpec) -> list[Problem]:
    problems: list[Problem] = []
    for name, variant in spec.variants.items():
        at = ("variants", name)
        if name not in VARIANTS:
            problems.append((at, f"unknown variant; allowed: {', '.join(VARIANTS)}"))
            continue
        for limit in variant.gates.loosened(name):
            if variant.gates.reason is None:
                problems.append(
                    (
                        (*at, "gates", limit),
                        f"looser than the default {getattr(default_gates(name), limit):g} without a reason; "
                        "add `reason:` beside it (it is printed in the report) or remove the limit",
                    )
                )
        if VARIANTS[name].calibrated and spec.calibration is None and spec.task != "tensor":
            sentence = "needs calibrated activation ranges; add `calibration:` as `marline train` prints it, or remove the variant"
            problems.append((at, sentence))
    return problems


def _labels(spec: ModelSpec) -> list[Problem]:
    repeated = sorted({label for label in spec.labels if spec.labels.count(label) > 1})
    return [(("labels",), f"{repeated[0]!r} is listed twice; allowed: each label once")] if repeated else []


def _text_model(spec: ModelSpec) -> list[Problem]:
    problems: list[Problem] = []
    allowed = HEADS[spec.task]
    if spec.head not in allowed:
        found = "required" if spec.head is None else f"{spec.head} does not fit"
        problems.append((("head",), f"{found} for task {spec.task}; allowed: {', '.join(allowed)}"))
    if spec.task == "text-classification" and len(spec.labels) < 2:
        sentence = "at least two are needed for text-classification; list them in the order of the model's outputs"
        problems.append((("labels",), sentence))
    if spec.head == "mean-linear" and spec.trained is None and spec.training is None:
        problems.append((("trained",), "a mean-linear head needs its weights; add `training:` and run `marline train`"))
    if REFERENCE not in spec.variants:
        problems.append((("variants",), f"{REFERENCE} is the reference of a text model; add it to the variants"))
    for key in ("inputs", "outputs", "submodule"):
        if getattr(spec, key):
            problems.append(((key,), f"only for task tensor; remove it from a spec of task {spec.task}"))
    return problems


def _tensor_model(spec: ModelSpec) -> list[Problem]:
    problems: list[Problem] = []
    for key in ("inputs", "outputs"):
        if not getattr(spec, key):
            problems.append(((key,), "required for task tensor; list each tensor's name, dtype and shape"))
        names = [tensor.name for tensor in getattr(spec, key)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            problems.append(((key,), f"{repeated[0]!r} is listed twice; allowed: each name once"))
    problems += [((key,), "not for task tensor; remove it") for key in TEXT_ONLY if getattr(spec, key)]
    formats = {VARIANTS[name].format for name in spec.variants if name in VARIANTS}
    made = [n for n in spec.variants if n in VARIANTS and VARIANTS[n].format not in TENSOR_FORMATS]
    if made:
        sentence = "a tensor model is a file, not code; use torchscript-fp32 or onnx-fp32"
        problems += [(("variants", name), sentence) for name in made]
    elif len(formats) > 1:
        sentence = "a tensor model's file has one format; list either torchscript-* and torch-* or onnx-* variants"
        problems.append((("variants",), sentence))
    if spec.submodule is not None and formats != {"torchscript"}:
        problems.append((("submodule",), "only a TorchScript module has parts; remove it, or list torchscript-fp32"))
    return problems
