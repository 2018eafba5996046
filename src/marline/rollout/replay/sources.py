"""Where the requests of a replay come from, besides a file of them."""

from __future__ import annotations

import re
from pathlib import Path

from handlerkit.manifest import Manifest
from marline.artifact.store import Store
from marline.errors import SourceError
from marline.rollout.replay.requests import Item, Questions
from marline.spec.model import ModelSpec

_NAME = re.compile(r"(?P<model>[^@/]+)@(?P<version>[^@/]+)/(?P<variant>[^@/]+)")


def golden_of_store(store: Store, name: str) -> Questions:
    """The golden requests of a published artifact.

    Args:
        store: where it is.
        name: ``model@version/variant``.

    Raises:
        SourceError: for a name of another form, or an artifact without golden requests.
        StoreError: for one that is not in the store, listing those that are.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise SourceError(f"{name!r} names no artifact; write model@version/variant, such as sentiment@1.0.0/onnx-int8")
    return golden(store.manifest(match["model"], match["version"], match["variant"]))


def golden_of_archive(path: Path) -> Questions:
    """The golden requests of a ``.mar``, whose files are compared with its manifest first.

    Raises:
        ServeError: for an archive that is missing or damaged.
        SourceError: for one without golden requests.
    """
    # comes with everything that a server needs, and a rollout's Job has none of that
    from marline.serve.torchserve.archives import read_archive

    return golden(read_archive(path).manifest)


def golden(manifest: Manifest) -> Questions:
    """The golden requests that a manifest holds."""
    who = f"{manifest.model} {manifest.version} {manifest.variant}"
    if not manifest.golden:
        raise SourceError(f"{who}: has no golden requests; replay a file of requests with `--requests`")
    items = tuple(Item(str(number), g.request, golden=g) for number, g in enumerate(manifest.golden))
    return Questions(f"golden requests of {who}", items, manifest.model, manifest)


def gate_items(spec: ModelSpec) -> Questions:
    """What the gate asks every variant of a model, in its order, as a client sends it.

    Raises:
        SourceError: when the spec's data cannot be had, or it has none.
    """
    # both load torch, which nothing else of a replay needs
    from marline.build.data import load_split
    from marline.build.gate.questions import TENSOR_EXAMPLES, generated

    source = f"gate items of {spec.name} {spec.version}"
    if spec.task == "tensor":
        asked = [generated(spec.inputs, number) for number in range(TENSOR_EXAMPLES)]
        bodies = [{"inputs": {name: value.tolist() for name, value in inputs.items()}} for inputs in asked]
        limits = {name: spec.gates(name).max_abs for name in spec.variants}
        items = tuple(Item(str(i), body) for i, body in enumerate(bodies))
        return Questions(source, items, spec.name, max_abs=limits)
    if spec.data is None:
        raise SourceError(f"{spec.name}: has no `data:`, so the gate has no items; add it to the spec")
    found = load_split(spec.data, "gate")
    return Questions(source, tuple(Item(item.id, {"text": item.text}) for item in found), spec.name)
