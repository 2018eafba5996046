"""What differs between two versions of a model, variant by variant."""

from __future__ import annotations

from typing import Any

from handlerkit import codec
from marline.artifact.store import Store

_ALWAYS_DIFFERENT = ("version",)
_ABSENT = object()


def diff(store: Store, model: str, a: str, b: str) -> dict[str, Any]:
    """Compare two versions.

    Returns:
        JSON-ready; every pair is [in a, in b], None where it is absent.  ``default_variant`` is a
        pair; ``variants`` holds for each variant ``only_in`` (the version that alone has it, else
        None), ``identical`` (the archives are the same bytes), the pairs ``sha256`` and
        ``size_bytes``, and ``manifest`` and ``report``: pairs by dotted path, only those that differ.

    Raises:
        StoreError: when one of them is not there, listing those that are.
    """
    published = {version: store.variants(model, version) for version in (a, b)}
    reports = [store.report(model, version) or {} for version in (a, b)]
    variants = {}
    for name in dict.fromkeys(published[a] + published[b]):
        there = [version if name in published[version] else None for version in (a, b)]
        manifests = [version and codec.plain(store.manifest(model, version, name)) for version in there]
        digests = [version and store.sha256(model, version, name) for version in there]
        variants[name] = {
            "only_in": None if all(there) else next(filter(None, there)),
            "identical": digests[0] == digests[1],
            "sha256": digests,
            "size_bytes": [version and store.archive(model, version, name).stat().st_size for version in there],
            "manifest": _differences(manifests),
            "report": _differences([report.get("variants", {}).get(name) for report in reports]),
        }
    defaults = [report.get("default_variant") for report in reports]
    return {"model": model, "a": a, "b": b, "default_variant": defaults, "variants": variants}


def _differences(pair: list[Any]) -> dict[str, list[Any]]:
    if None in pair:
        return {}
    left, right = (_flat(value) for value in pair)
    return {
        key: [left.get(key), right.get(key)]
        for key in sorted({*left, *right} - {*_ALWAYS_DIFFERENT})
        if left.get(key, _ABSENT) != right.get(key, _ABSENT)
    }


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict | list) or not value:
        return {prefix: value}
    out: dict[str, Any] = {}
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        out.update(_flat(item, f"{prefix}.{key}" if prefix else str(key)))
    return out
