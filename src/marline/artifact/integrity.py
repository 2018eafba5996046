"""Is an archive what it was when it was published, and what its manifest says?"""

from __future__ import annotations

import zipfile
from pathlib import Path

from handlerkit import manifest as manifests
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest
from marline.artifact.mar import digest
from marline.errors import StoreError


def check_archive(path: Path, sha256: str, directory: Path, what_to_do: str) -> None:
    """Compare an archive with a digest, and the manifest inside with the one in ``directory``.

    Raises:
        StoreError: one sentence with what is wrong, ending in ``what_to_do``.
    """
    if not path.is_file():
        raise StoreError(f"{path}: the archive is missing; {what_to_do}")
    found = digest(path)
    if found != sha256:
        kind = "changed" if zipfile.is_zipfile(path) else "truncated or damaged"
        raise StoreError(
            f"{path}: the archive is {kind}: its sha256 is {found} ({path.stat().st_size} bytes), "
            f"published was {sha256}; {what_to_do}"
        )
    if manifest_bytes(path) != (directory / manifests.FILE_NAME).read_bytes():
        raise StoreError(f"{directory / manifests.FILE_NAME}: is not the manifest inside {path.name}; {what_to_do}")


def manifest_bytes(path: Path) -> bytes | None:
    """The ``manifest.json`` inside an archive; None where it has none or is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(manifests.FILE_NAME)
    except (zipfile.BadZipFile, KeyError, OSError):
        return None


def manifest_in(path: Path) -> Manifest:
    """The manifest inside an archive.

    Raises:
        StoreError: when ``path`` is not a marline archive.
    """
    text = manifest_bytes(path)
    if text is None:
        raise StoreError(f"{path}: is truncated or no marline archive (no manifest.json can be read); build it again")
    try:
        return manifests.loads(text, f"{path}: {manifests.FILE_NAME}")
    except LoadError as error:
        raise StoreError(str(error)) from error


def extract(path: Path, directory: Path) -> None:
    """Unpack an archive; entries that would leave ``directory`` are placed inside it by zipfile itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(directory)
    except (zipfile.BadZipFile, OSError) as error:
        raise StoreError(f"{path}: cannot be unpacked ({error}); restore it from a copy or build it again") from error
