"""A .mar, checked before a server sees it: TorchServe itself verifies nothing."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from handlerkit import manifest as manifests
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest
from marline.errors import ServeError

MAR_MANIFEST = "MAR-INF/MANIFEST.json"
REBUILD = "build it again with `marline build`"


@dataclass(frozen=True)
class Served:
    """An archive that was found whole, and its manifest."""

    path: Path
    manifest: Manifest


def read_archive(path: Path) -> Served:
    """Read and check one archive.

    Args:
        path: a ``.mar`` file.

    Returns:
        The archive with the manifest that it carries.

    Raises:
        ServeError: when the file is missing, truncated or damaged, when a file that its manifest lists
            is missing or differs in size or sha256, or when TorchServe's own manifest names another
            model, version or a handler that is not inside.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return Served(path, _checked(path, archive))
    except OSError as error:
        raise ServeError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ServeError(f"{path}: is not a whole .mar archive ({error}); {REBUILD}") from error


def _checked(path: Path, archive: zipfile.ZipFile) -> Manifest:
    names = set(archive.namelist())
    if bad := sorted(n for n in names if PurePosixPath(n).is_absolute() or ".." in PurePosixPath(n).parts):
        raise ServeError(f"{path}: holds the entry {bad[0]!r}, which points outside of the archive; {REBUILD}")
    for needed in (manifests.FILE_NAME, MAR_MANIFEST):
        if needed not in names:
            raise ServeError(f"{path}: holds no {needed}, so it is not an archive of marline; {REBUILD}")
    try:
        manifest = manifests.loads(archive.read(manifests.FILE_NAME), f"{path}: {manifests.FILE_NAME}")
    except LoadError as error:
        raise ServeError(str(error)) from error
    for file in manifest.files:
        if file.path not in names:
            raise ServeError(f"{path}: {file.path} is listed in its manifest and missing; {REBUILD}")
        size, digest = _measure(archive, file.path)
        if (size, digest) != (file.size, file.sha256):
            raise ServeError(
                f"{path}: {file.path} has {size} bytes and sha256 {digest[:12]}..., "
                f"its manifest says {file.size} bytes and {file.sha256[:12]}...; {REBUILD}"
            )
    _agrees(path, archive, manifest, names)
    return manifest


def _measure(archive: zipfile.ZipFile, name: str) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with archive.open(name) as stream:
        while chunk := stream.read(1 << 20):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


def _agrees(path: Path, archive: zipfile.ZipFile, manifest: Manifest, names: set[str]) -> None:
    try:
        outer: Any = json.loads(archive.read(MAR_MANIFEST))["model"]
        found = {key: str(outer[key]) for key in ("modelName", "modelVersion", "handler")}
    except (ValueError, KeyError, TypeError) as error:
        raise ServeError(
            f"{path}: {MAR_MANIFEST} names no modelName, modelVersion and handler ({error!r}); {REBUILD}"
        ) from error
    expected = {"modelName": manifest.model, "modelVersion": manifest.served_version}
    for key, value in expected.items():
        if found[key] != value:
            raise ServeError(f"{path}: {MAR_MANIFEST} says {key} {found[key]!r}, its manifest {value!r}; {REBUILD}")
    handler = found["handler"].split(":")[0]
    if (handler if handler.endswith(".py") else f"{handler}.py") not in names:
        raise ServeError(f"{path}: {MAR_MANIFEST} names the handler {handler!r}, which is not inside; {REBUILD}")
