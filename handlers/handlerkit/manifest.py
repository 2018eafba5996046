"""``manifest.json`` v1: what an artifact is, written at build time, read by worker, agent and gate.

Measurements are not in it: they differ from run to run, the archive's bytes must not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlerkit import codec
from handlerkit.errors import LoadError

SCHEMA_VERSION = 1
HANDLER_CONTRACT = 1
FILE_NAME = "manifest.json"


@dataclass(frozen=True)
class File:
    """One file of the artifact: path relative to the manifest, size in bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Dim:
    """A dimension that varies between requests, from ``min`` to ``max`` inclusive."""

    name: str
    min: int
    max: int


@dataclass(frozen=True)
class Tensor:
    """A named input or output: numpy dtype name, and a shape of fixed sizes and named dimensions."""

    name: str
    dtype: str
    shape: tuple[int | Dim, ...]


@dataclass(frozen=True)
class Source:
    """Where the weights came from: a URI, its revision, and the sha256 of what was fetched."""

    uri: str
    revision: str
    sha256: str


@dataclass(frozen=True)
class Requirements:
    """What the machine must have: package versions built with, and CPU flags as Linux spells them."""

    python: str
    packages: Mapping[str, str]
    cpu_flags: tuple[str, ...]


@dataclass(frozen=True)
class Golden:
    """A recorded question: the request body, the expected label if any, the expected raw outputs."""

    request: Any
    label: str | None
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """The artifact's self-description.

    ``task`` is text-classification, embedding or tensor; ``format`` is eager, compile, torchscript,
    pt2 or onnx and alone decides the backend (never a file's ending).  ``golden_atol`` is the largest absolute
    difference that a golden output may show.  ``build`` holds facts that are equal in every build.
    ``drift_baseline`` is reserved for the sketch that online drift is compared with.
    """

    schema_version: int
    model: str
    version: str
    variant: str
    task: str
    format: str
    source: Source
    files: tuple[File, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tokenizer: str | None
    labels: tuple[str, ...]
    requirements: Requirements
    inference_parameters: Mapping[str, Any]
    warmup_shapes: tuple[Mapping[str, int], ...]
    golden: tuple[Golden, ...]
    golden_atol: float
    drift_baseline: Mapping[str, Any] | None
    build: Mapping[str, Any]
    handler_contract: int
    licence: str

    @property
    def served_version(self) -> str:
        """The version path TorchServe serves it under: a semver pre-release names the variant."""
        return f"{self.version}-{self.variant}"

    def file(self, suffix: str) -> str:
        """The path of the one file that ends in ``suffix``."""
        found = [f.path for f in self.files if f.path.endswith(suffix)]
        if len(found) != 1:
            raise LoadError(
                f"manifest of {self.model} {self.served_version}: expected one file ending in {suffix!r}, "
                f"found {len(found)}; rebuild it with `marline build {self.model}`"
            )
        return found[0]


def dumps(manifest: Manifest) -> str:
    """The manifest's canonical text."""
    return codec.dumps(manifest)


def loads(text: str | bytes, where: str = FILE_NAME) -> Manifest:
    """Parse a manifest.

    Raises:
        LoadError: when it is not a v1 manifest, with the path of the value that does not fit.
    """
    try:
        manifest = codec.loads(Manifest, text)
    except codec.CodecError as error:
        raise LoadError(f"{where}: {error}; rebuild the archive with `marline build`") from error
    if manifest.schema_version != SCHEMA_VERSION:
        raise LoadError(
            f"{where}: schema_version {manifest.schema_version} is not supported (allowed: {SCHEMA_VERSION}); "
            "serve it with the marline version that built it, or rebuild it"
        )
    return manifest


def read(directory: Path) -> Manifest:
    """Read ``manifest.json`` in ``directory``."""
    path = directory / FILE_NAME
    try:
        text = path.read_bytes()
    except OSError as error:
        sentence = f"{path}: {error.strerror}; the archive is incomplete, rebuild it with `marline build`"
        raise LoadError(sentence) from error
    return loads(text, str(path))
