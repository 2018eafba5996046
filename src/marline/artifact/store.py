"""What was published, read back: the layout is the database.

    <root>/<model>/registry.json                     stages and their history
    <root>/<model>/<version>/report.{json,html}
    <root>/<model>/<version>/<variant>/manifest.json
                                      /<model>-<version>-<variant>.mar
                                      /<model>-<version>-<variant>.mar.sha256   as `sha256sum -c` reads it
                                      /evidence/<cpu-class>.json

The artifact's files are in the archive only, which stores them uncompressed: beside it they would
double the disk and could drift from it.  :meth:`Store.unpacked` lends a directory of them.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlerkit import manifest as manifests
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest
from marline.artifact import atomic, locks
from marline.artifact.integrity import check_archive, extract
from marline.errors import StoreError
from marline.spec.names import NAME_PATTERN, SEMVER_PATTERN, VARIANTS

if TYPE_CHECKING:
    from marline.artifact.staging import Staging

_CPU_CLASS = r"^[a-z0-9][a-z0-9_.-]*$"


def archive_name(model: str, version: str, variant: str) -> str:
    """The file name of an archive; unique, so that all of them may lie in one directory."""
    return f"{model}-{version}-{variant}.mar"


class Store:
    """A model store.  Reading it never writes; a version in it never changes.

    Args:
        root: the directory; it need not exist yet.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def models(self) -> list[str]:
        """Names of the models with at least one version, sorted."""
        return [name for name in _folders(self.root) if self.versions(name)]

    def versions(self, model: str) -> list[str]:
        """Versions of a model in semver order, oldest first; empty for a model that is not there."""
        if not re.match(NAME_PATTERN, model):
            return []
        found = [v for v in _folders(self.root / model) if re.match(SEMVER_PATTERN, v) and self._variants(model, v)]
        return sorted(found, key=lambda version: tuple(map(int, version.split("."))))

    def known_versions(self, model: str) -> list[str]:
        """As :meth:`versions`, but never empty.

        Raises:
            StoreError: for a model that is not there, listing those that are.
        """
        if there := self.versions(model):
            return there
        raise StoreError(
            f"{self.root}: no model {model!r} (there are: {', '.join(self.models()) or 'none'}); "
            f"build it with `marline build {model}`, or name another store with `--store`"
        )

    def variants(self, model: str, version: str) -> list[str]:
        """Published variants of a version, in the order of the table of variants.

        Raises:
            StoreError: for a model or version that is not there, listing those that are.
        """
        there = self.known_versions(model)
        if version not in there:
            raise StoreError(
                f"{self.root}: no version {version!r} of {model} (there are: {', '.join(there)}); "
                f"name one of them, or build it with `marline build {model}`"
            )
        return self._variants(model, version)

    def directory(self, model: str, version: str, variant: str | None = None) -> Path:
        """The directory of a version, or of one of its variants.

        Raises:
            StoreError: for one that is not there, listing those that are.
        """
        there = self.variants(model, version)
        if variant is None:
            return self.root / model / version
        if variant not in there:
            raise StoreError(
                f"{self.root}: no variant {variant!r} of {model} {version} (there are: {', '.join(there)}); "
                f"name one of them, or build it with `marline build {model}`"
            )
        return self.root / model / version / variant

    def archive(self, model: str, version: str, variant: str) -> Path:
        """The path of the ``.mar``."""
        return self.directory(model, version, variant) / archive_name(model, version, variant)

    def manifest(self, model: str, version: str, variant: str) -> Manifest:
        """What the artifact says of itself.

        Raises:
            StoreError: when ``manifest.json`` cannot be read.
        """
        try:
            return manifests.read(self.directory(model, version, variant))
        except LoadError as error:
            raise StoreError(str(error)) from error

    def sha256(self, model: str, version: str, variant: str) -> str:
        """The archive's digest as recorded when it was published."""
        path = self.archive(model, version, variant)
        record = path.with_name(f"{path.name}.sha256")
        try:
            found = record.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{record}: cannot be read ({error}); {way_out(model, version)}") from error
        if len(found) != 2 or not re.fullmatch(r"[0-9a-f]{64}", found[0]):
            raise StoreError(f"{record}: is not `<sha256>  {path.name}`; {way_out(model, version)}")
        return found[0]

    def evidence(self, model: str, version: str, variant: str) -> dict[str, dict[str, Any]]:
        """Measurements by CPU class; each document names the archive in ``sha256``."""
        paths = sorted((self.directory(model, version, variant) / "evidence").glob("[!.]*.json"))
        return {path.stem: _read_json(path, "measure again with `marline build --measure`") for path in paths}

    def write_evidence(self, model: str, version: str, variant: str, cpu_class: str, document: dict[str, Any]) -> Path:
        """Write one CPU class's measurements, in place of older ones.

        Args:
            model: the model.
            version: its version.
            variant: the variant whose archive was measured.
            cpu_class: the file's name, see :func:`handlerkit.machine.cpu_class`.
            document: JSON-ready; its key ``sha256`` is the digest of the archive that was measured.

        Raises:
            StoreError: when the document is about another archive, or the class is no file name.
        """
        with locks.writing(self.root, model):
            check_evidence(document, self.sha256(model, version, variant), cpu_class, f"{model} {version} {variant}")
            path = self.directory(model, version, variant) / "evidence" / f"{cpu_class}.json"
            path.parent.mkdir(exist_ok=True)
            atomic.write_json(path, document)
        return path

    def report(self, model: str, version: str) -> dict[str, Any] | None:
        """``report.json`` of a version, or None where there is none."""
        path = self.directory(model, version) / "report.json"
        return _read_json(path, f"build it again with `marline build {model}`") if path.is_file() else None

    def verify(self, model: str, version: str, variant: str | None = None) -> dict[str, str]:
        """Compare every archive, or one, with its recorded digest and its manifest.

        Returns:
            The digest of each variant that was compared.

        Raises:
            StoreError: for the first archive that is missing, truncated or changed.
        """
        chosen = self.variants(model, version) if variant is None else [variant]
        out = {}
        for name in chosen:
            out[name] = self.sha256(model, version, name)
            directory = self.directory(model, version, name)
            check_archive(self.archive(model, version, name), out[name], directory, way_out(model, version))
        return out

    @contextmanager
    def unpacked(self, model: str, version: str, variant: str) -> Iterator[Path]:
        """Lend a directory with the archive's content; it is gone afterwards.

        Raises:
            StoreError: when the archive is not the published one.
        """
        self.verify(model, version, variant)
        with tempfile.TemporaryDirectory(prefix=f"marline-{model}-") as name:
            extract(self.archive(model, version, variant), Path(name))
            yield Path(name)

    def staging(self, model: str, version: str) -> AbstractContextManager[Staging]:
        """A private directory to build a version in; see :class:`marline.artifact.staging.Staging`.

        Raises:
            StoreError: for a name or version that cannot be published, or while another build of
                this model runs.
        """
        from marline.artifact.staging import stage

        for kind, value, pattern in (("model", model, NAME_PATTERN), ("version", version, SEMVER_PATTERN)):
            if not re.match(pattern, value):
                raise StoreError(f"{kind} {value!r} cannot be published (allowed: {pattern}); correct the spec")
        return stage(self, model, version)

    def _variants(self, model: str, version: str) -> list[str]:
        base = self.root / model / version
        found = [name for name in _folders(base) if (base / name / manifests.FILE_NAME).is_file()]
        known = list(VARIANTS)
        return sorted(found, key=lambda name: (known.index(name) if name in known else len(known), name))


def way_out(model: str, version: str) -> str:
    """What to do about a published version that is damaged."""
    return (
        f"restore it from a copy, or delete it with `marline registry gc {model} --version {version}` "
        f"and build it again with `marline build {model}`"
    )


def check_evidence(document: dict[str, Any], sha256: str, cpu_class: str, who: str) -> None:
    """Refuse measurements of another archive than the one with ``sha256``."""
    if not re.match(_CPU_CLASS, cpu_class):
        raise StoreError(f"evidence of {who}: CPU class {cpu_class!r} is unfit (allowed: {_CPU_CLASS}); rename it")
    if document.get("sha256") != sha256:
        raise StoreError(
            f"evidence of {who} for {cpu_class}: it was measured on the archive {document.get('sha256')}, "
            f"the archive here is {sha256}; measure this one with `marline build --measure`"
        )


def _folders(directory: Path) -> list[str]:
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read_json(path: Path, what_to_do: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); {what_to_do}") from error
    if not isinstance(document, dict):
        raise StoreError(f"{path}: is not a JSON object; {what_to_do}")
    return document
