"""What a release needs to know of an artifact: everything that the build decided or measured, and nothing else."""

from __future__ import annotations

import json
import statistics
from typing import Any

from pydantic import Field

from marline.artifact.store import Store, check_evidence
from marline.errors import StoreError
from marline.spec.base import Strict
from marline.spec.model import Sha256
from marline.spec.release import ReleaseVariant

LONGEST_EXAMPLE = 300


class Measured(Strict):
    """One artifact on one CPU class, with one thread and one request at a time."""

    cpu_class: str = Field(description="Instruction-set class of the machine.")
    mean_ms: float = Field(gt=0, description="Mean time in the model, over the data's own mix of lengths.")
    variation: float = Field(ge=0, description="Variance of that time divided by its squared mean.")
    rss_mb: int = Field(ge=0, description="Peak memory of the process that measured, in MiB.")


class Facts(Strict):
    """One published artifact."""

    model: str
    version: str
    variant: str
    sha256: Sha256 = Field(description="Of the archive.")
    size_bytes: int = Field(ge=1, description="Of the archive.")
    format: str = Field(description="Decides the engine: onnx, torchscript, pt2, compile or eager.")
    cpu_flags: list[str] = Field(description="CPU flags without which its numbers are not right, as Linux spells them.")
    example: str | None = Field(description="Body of its first golden request, if it is short.")
    measured: Measured | None = Field(description="None where nothing was measured.")

    @property
    def who(self) -> str:
        """Model, version and variant."""
        return f"{self.model} {self.version} {self.variant}"


def from_store(store: Store, wanted: ReleaseVariant) -> Facts:
    """Read the facts of the artifact that an endpoint names.

    Raises:
        StoreError: when it is not there, its archive is missing or changed, it was not measured on the
            class that the release names, was measured on several and none is named, or is not eligible there.
    """
    model, version, variant = wanted.model, wanted.version, wanted.variant
    manifest = store.manifest(model, version, variant)
    sha256 = store.verify(model, version, variant)[variant]
    return Facts(
        model=model,
        version=version,
        variant=variant,
        sha256=sha256,
        size_bytes=store.archive(model, version, variant).stat().st_size,
        format=manifest.format,
        cpu_flags=list(manifest.requirements.cpu_flags),
        example=_example([golden.request for golden in manifest.golden]),
        measured=_measured(store, wanted, sha256),
    )


def _example(requests: list[Any]) -> str | None:
    text = json.dumps(requests[0], ensure_ascii=False) if requests else ""
    return text if 0 < len(text) <= LONGEST_EXAMPLE else None


def _measured(store: Store, wanted: ReleaseVariant, sha256: str) -> Measured | None:
    who = f"{wanted.model} {wanted.version} {wanted.variant}"
    found = store.evidence(wanted.model, wanted.version, wanted.variant)
    name = wanted.cpu_class or (next(iter(found)) if len(found) == 1 else None)
    if name is None:
        if found:
            raise StoreError(f"{who} was measured on {', '.join(found)}; name one of them as `cpu_class`")
        return None
    if name not in found:
        there = ", ".join(found) or "none"
        raise StoreError(
            f"{who} was not measured on CPU class {name!r} (measured: {there}); "
            f"measure it there with `marline build {wanted.model} --measure`, or name another class"
        )
    check_evidence(found[name], sha256, name, who)
    entry = found[name].get("measured", {})
    if entry.get("eligible") is not True:
        missed = ", ".join(map(str, entry.get("missed", []))) or "not measured to the end"
        raise StoreError(f"{who} is not eligible on CPU class {name} ({missed}); name another variant or class")
    times = entry.get("times_ms") or []
    if not times or sum(times) <= 0:
        raise StoreError(f"{who}: its evidence for {name} holds no times; measure again with `marline build --measure`")
    mean = statistics.fmean(times)
    return Measured(
        cpu_class=name,
        mean_ms=round(mean, 3),
        variation=round(statistics.pvariance(times) / mean**2, 3),
        rss_mb=-(-int(entry.get("rss_bytes") or 0) // 2**20),
    )
