"""A directory and a manifest as one TorchServe archive: the same content gives the same bytes.

torch-model-archiver lays the archive out (its packaging API, unarchived form); the zip is ours,
because the archiver's own has the clock, the file system's order and the umask in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from handlerkit import manifest as manifests
from handlerkit.manifest import File, Manifest
from marline.artifact import atomic
from marline.artifact.handlers import handler_for, handlerkit_dir
from marline.errors import BuildError

EPOCH = (1980, 1, 1, 0, 0, 0)
CREATED_ON = "01/01/1980 00:00:00"
MAR_MANIFEST = "MAR-INF/MANIFEST.json"
_LAYOUT = """
import json, sys
from model_archiver.model_archiver_config import ModelArchiverConfig
from model_archiver.model_packaging import generate_model_archive
generate_model_archive(ModelArchiverConfig(**json.load(sys.stdin)))
"""


def digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def files_of(stage: Path, paths: Iterable[str]) -> tuple[File, ...]:
    """Describe files for a manifest, sorted by path.

    Args:
        stage: the directory that holds them.
        paths: relative to ``stage``, with forward slashes.
    """
    return tuple(File(path, (stage / path).stat().st_size, digest(stage / path)) for path in sorted(paths))


def pack(stage: Path, manifest: Manifest, target: Path) -> str:
    """Pack an artifact: its files, ``manifest.json``, its handler and handlerkit.

    ``manifest.json`` is written into ``stage`` too.  Only the files that the manifest names are
    packed; others in ``stage`` are not looked at.

    Args:
        stage: holds the files that ``manifest.files`` names.
        manifest: becomes ``manifest.json``; names the archive's model and version.
        target: the ``.mar`` to write; it appears whole or not at all.

    Returns:
        The archive's sha256 in hex.

    Raises:
        BuildError: when a file is missing or is not what the manifest says, or the archiver fails.
    """
    for file in manifest.files:
        path = stage / file.path
        if not path.is_file() or files_of(stage, [file.path]) != (file,):
            raise BuildError(
                f"{path}: missing, or not the file of {file.size} bytes and sha256 {file.sha256} that the manifest "
                f"of {manifest.model} {manifest.served_version} names; build it again"
            )
    atomic.write_text(stage / manifests.FILE_NAME, manifests.dumps(manifest))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=target.parent) as work:
        laid_out = _lay_out(stage, manifest, Path(work).resolve())
        with atomic.replacing(target) as partial:
            _zip(laid_out, partial)
    return digest(target)


def _lay_out(stage: Path, manifest: Manifest, work: Path) -> Path:
    payload = work / "payload"
    names = [manifests.FILE_NAME, *(file.path for file in manifest.files)]
    for name in names:
        _place(stage / name, payload / name)
    kit = handlerkit_dir()
    for path in sorted(kit.rglob("*.py")):
        names.append(f"handlerkit/{path.relative_to(kit).as_posix()}")
        _place(path, payload / names[-1])
    handler = handler_for(manifest.task)
    names += [handler.name, MAR_MANIFEST]
    # The archiver empties <temp dir>/<model name>, and splits paths at commas: it gets a process, a temp dir
    # and relative paths of its own, so that builds of one name can run beside each other.
    for name in ("tmp", "out"):
        (work / name).mkdir()
    settings = {
        "model_name": manifest.model,
        "version": manifest.served_version,
        "handler": str(handler),
        "extra_files": "payload",
        "export_path": "out",
        "archive_format": "no-archive",
    }
    done = subprocess.run(
        [sys.executable, "-c", f"import tempfile; tempfile.tempdir = {str(work / 'tmp')!r}\n{_LAYOUT}"],
        cwd=work,
        input=json.dumps(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BuildError(
            f"torch-model-archiver could not lay out {manifest.model} {manifest.served_version}: {reason}; "
            "install it with `pip install 'marline[build]'`, or rename the file it names"
        )
    out = work / "out" / manifest.model
    _fix_creation_time(out / MAR_MANIFEST)
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    if found != set(names):
        raise BuildError(
            f"torch-model-archiver changed the content of {manifest.model} {manifest.served_version}: "
            f"{', '.join(sorted(found ^ set(names)))}; name files without a leading dot, and none like a handler's"
        )
    return out


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _fix_creation_time(path: Path) -> None:
    document = json.loads(path.read_text())
    document["createdOn"] = CREATED_ON
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def _zip(directory: Path, target: Path) -> None:
    files = {p.relative_to(directory).as_posix(): p for p in directory.rglob("*") if p.is_file()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, wherever it runs: the permissions below are read so
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = files[name].stat().st_size
            with files[name].open("rb") as source, archive.open(entry, "w") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
