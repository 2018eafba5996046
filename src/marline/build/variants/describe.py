"""From a built variant to its manifest: what can be derived is derived here, in one place."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

from handlerkit.manifest import HANDLER_CONTRACT, SCHEMA_VERSION, File, Golden, Manifest, Requirements
from marline.build.sources.cache import sha256_of
from marline.build.variants.base import Built, Context, declared_tensors, text_tensors
from marline.spec.names import VARIANTS

MINIMUM_PYTHON = ">=3.11"


def draft_manifest(context: Context, built: Built, golden: tuple[Golden, ...] = ()) -> Manifest:
    """The manifest of the files in ``context.out``.

    Args:
        context: the build.
        built: files, packages and facts of the variant.
        golden: recorded requests to carry.
    """
    spec, kind = context.spec, VARIANTS[context.variant]
    packages = sorted({*built.packages, "numpy", *(() if context.text is None else ("tokenizers",))})
    if context.text is None:
        inputs, outputs = declared_tensors(spec.inputs), declared_tensors(spec.outputs)
    else:
        width = context.text.classes if spec.task == "text-classification" else int(context.text.config["hidden_size"])
        inputs, outputs = text_tensors(spec, width)
    names = [*built.files, *(() if context.text is None else ("tokenizer.json",))]
    return Manifest(
        schema_version=SCHEMA_VERSION,
        model=spec.name,
        version=spec.version,
        variant=context.variant,
        task=spec.task,
        format=kind.format,
        source=context.source.record,
        files=tuple(_file(context.out, name) for name in sorted(names)),
        inputs=inputs,
        outputs=outputs,
        tokenizer=None if context.text is None else "tokenizer.json",
        labels=tuple(spec.labels),
        requirements=Requirements(MINIMUM_PYTHON, {p: _version(p) for p in packages}, kind.cpu_flags),
        inference_parameters=spec.inference(context.variant),
        warmup_shapes=() if context.text is None else ({"batch": 1, "tokens": 16},),
        golden=golden,
        golden_atol=spec.variants[context.variant].golden_atol,
        drift_baseline=None,
        build={"facts": dict(built.facts), "inputs": _inputs(context)},
        handler_contract=HANDLER_CONTRACT,
        licence=spec.licence,
    )


def _inputs(context: Context) -> dict[str, str]:
    """Digests of the committed inputs that the artifact's bytes depend on."""
    declared = {"trained": context.spec.trained, "calibration": context.spec.calibration, "golden": context.spec.golden}
    return {key: value.sha256 for key, value in declared.items() if value is not None}


def _file(folder: Path, name: str) -> File:
    path = folder / name
    return File(name, path.stat().st_size, sha256_of(path))


def _version(package: str) -> str:
    # a CPU wheel and a CUDA wheel of one torch version give the same artifact
    return importlib.metadata.version(package).split("+")[0]


def code_digest(*folders: Path) -> str:
    """The sha256 over the Python files of folders: what a cached build depends on besides its inputs."""
    files = sorted((p.relative_to(f).as_posix(), p) for f in folders for p in f.rglob("*.py"))
    return hashlib.sha256(b"".join(name.encode() + sha256_of(p).encode() for name, p in files)).hexdigest()
