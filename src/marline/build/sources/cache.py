"""The download cache: ``MARLINE_CACHE``, else ``~/.cache/marline``; content-addressed by sha256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from marline.errors import SourceError


def cache_dir() -> Path:
    """The cache's root; made on first use."""
    root = Path(os.environ.get("MARLINE_CACHE") or Path.home() / ".cache" / "marline")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"{root}: the cache cannot be made ({error.strerror}); set MARLINE_CACHE to a writable folder"
        ) from error
    return root


def sha256_of(path: Path) -> str:
    """The sha256 of a file, or of the sorted ``<sha256>  <relative path>`` listing of a folder."""
    if path.is_dir():
        lines = [f"{sha256_of(p)}  {p.relative_to(path).as_posix()}\n" for p in sorted(path.rglob("*")) if p.is_file()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def once(target: Path, make: Callable[[Path], None]) -> Path:
    """``target``, made by ``make(scratch)`` if absent; it appears whole or not at all.

    Args:
        target: folder in the cache.
        make: fills the empty scratch folder it is given.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        make(scratch)
        # another process may have made it meanwhile: its result is as good
        with contextlib.suppress(OSError):
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not target.is_dir():
        raise SourceError(f"{target}: cannot be made; set MARLINE_CACHE to another folder, or free this path")
    return target


def unpack(archive: Path, sha256: str) -> Path:
    """The contents of a wheel or source archive, unpacked once per digest."""

    def make(scratch: Path) -> None:
        try:
            if archive.name.endswith((".whl", ".zip")):
                with zipfile.ZipFile(archive) as wheel:
                    wheel.extractall(scratch)
            else:
                with tarfile.open(archive) as tar:
                    tar.extractall(scratch, filter="data")
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
            # tarfile lists every compression it tried, a line each
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise SourceError(
                f"{archive}: cannot be unpacked ({reason}); delete it and run the command again"
            ) from error

    return once(cache_dir() / "unpacked" / sha256, make)
