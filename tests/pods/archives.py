"""Archives for the pods of these tests: the built one, a next version of it, and one for each kind of fault."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handlerkit import manifest as manifests
from handlerkit.manifest import Manifest

Change = Callable[[dict[str, bytes]], None]


@dataclass(frozen=True)
class Archive:
    """An archive file, and what a release says of it."""

    path: Path
    model: str
    version: str
    variant: str
    sha256: str

    def values(self, claim: str) -> dict[str, object]:
        """The chart's values of a variant that serves it out of a volume."""
        source = {"source": "pvc", "claimName": claim, "path": f"/archives/{self.path.name}", "sha256": self.sha256}
        return {"model": self.model, "version": self.version, "variant": self.variant, "archive": source}


def described(path: Path) -> Archive:
    """An archive by its own manifest."""
    with zipfile.ZipFile(path) as archive:
        manifest = manifests.loads(archive.read(manifests.FILE_NAME))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Archive(path, manifest.model, manifest.version, manifest.variant, digest)


def changed(source: Path, target: Path, change: Change) -> Archive:
    """A copy whose entries were changed by hand."""
    with zipfile.ZipFile(source) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    change(entries)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    target.chmod(0o644)
    return described(target)


def with_manifest(edit: Callable[[Manifest], Manifest], *more: Change) -> Change:
    """A change of the manifest, TorchServe's own kept in agreement."""

    def change(entries: dict[str, bytes]) -> None:
        old = manifests.loads(entries[manifests.FILE_NAME])
        new = edit(old)
        entries[manifests.FILE_NAME] = manifests.dumps(new).encode()
        outer = entries["MAR-INF/MANIFEST.json"]
        entries["MAR-INF/MANIFEST.json"] = outer.replace(old.served_version.encode(), new.served_version.encode())
        for one in more:
            one(entries)

    return change


def version(number: str) -> Change:
    """The same model under another version."""
    return with_manifest(lambda m: dataclasses.replace(m, version=number))


def raising(entries: dict[str, bytes]) -> None:
    """A handler that raises while it loads."""
    name = "text_classification.py"
    entries[name] = entries[name].replace(
        b"class ", b"def boom():\n    raise ValueError('boom')\n\n\nboom()\n\n\nclass ", 1
    )


def lying(entries: dict[str, bytes]) -> None:
    """A model with its labels exchanged, whose handler does not look: only an answer shows it."""
    with_manifest(lambda m: dataclasses.replace(m, labels=tuple(reversed(m.labels))))(entries)
    name = "handlerkit/golden.py"
    entries[name] = entries[name].replace(
        b"for number, golden in enumerate(manifest.golden)", b"for number, golden in ()"
    )


def flipped(source: Path, target: Path) -> Archive:
    """A copy with one wrong byte in the middle of its largest file."""
    data = bytearray(source.read_bytes())
    data[len(data) // 2] ^= 0xFF
    target.write_bytes(data)
    target.chmod(0o644)
    return dataclasses.replace(described(source), path=target, sha256=hashlib.sha256(data).hexdigest())


def copied(source: Path, target: Path) -> Archive:
    """A plain copy that other users may read."""
    shutil.copyfile(source, target)
    target.chmod(0o644)
    return described(target)
