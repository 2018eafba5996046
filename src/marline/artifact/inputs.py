"""What a build depends on, as one digest: if it is unchanged, nothing is built again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import marline
from marline.artifact.handlers import handler_for, handlerkit_dir
from marline.build.sources.cache import sha256_of
from marline.build.variants.describe import code_digest
from marline.spec.model import ModelSpec


def inputs_digest(spec: ModelSpec, versions: dict[str, str]) -> str:
    """The sha256 over spec, package versions and the code that makes, gates and packs.

    Weights, head and data are in it by the digests that the spec names.

    Args:
        spec: the model's spec.
        versions: versions of the packages that take part.
    """
    package = Path(marline.__file__).resolve().parent
    document = {
        "spec": spec.model_dump(mode="json"),
        "versions": versions,
        "code": code_digest(package / "build", package / "artifact", package / "spec", handlerkit_dir()),
        "handler": sha256_of(handler_for(spec.task)),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
