"""The names that specs, store and URLs share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VariantKind:
    """What a variant's name promises.

    Attributes:
        format: the artifact's format, which decides the backend.
        cpu_flags: CPU flags without which its numbers are not right, or it does not run at all.
        portable: right on every CPU.
        calibrated: needs activation ranges from `marline train`.
        batch_invariant: an answer does not depend on what else is in the batch.  Dynamic int8 scales
            activations over the whole batch, so such a variant is served one text at a time.
    """

    format: str
    cpu_flags: tuple[str, ...] = ()
    portable: bool = True
    calibrated: bool = False
    batch_invariant: bool = True


VARIANTS: dict[str, VariantKind] = {
    "eager-fp32": VariantKind("eager"),
    "torchscript-fp32": VariantKind("torchscript"),
    "torch-int8": VariantKind("torchscript", batch_invariant=False),
    "torch-int8-static": VariantKind("torchscript", calibrated=True),
    "eager-bf16": VariantKind("eager"),
    "compile-fp32": VariantKind("compile"),
    "aoti-fp32": VariantKind("pt2", cpu_flags=("avx2", "fma", "f16c"), portable=False),
    "onnx-fp32": VariantKind("onnx"),
    "onnx-int8": VariantKind("onnx", batch_invariant=False),
    "onnx-int8-vnni": VariantKind("onnx", cpu_flags=("avx512_vnni",), portable=False, batch_invariant=False),
    "onnx-int8-static": VariantKind("onnx", calibrated=True),
}
FORMATS = ("eager", "compile", "torchscript", "pt2", "onnx")
TENSOR_FORMATS = ("torchscript", "onnx")
"""Formats of a file that was brought; the others are made from a text model's code."""
REFERENCE = "eager-fp32"

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,40}$"
SEMVER_PATTERN = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"
