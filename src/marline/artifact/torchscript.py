"""TorchScript files without the traces of the machine and process that saved them.

``torch.jit.save`` writes source paths (``*.debug_pkl``), an id made from them, the file's own name as
root folder, and a counter of all types compiled in the process (``___torch_mangle_7``).  None of it
computes anything; all of it changes the digest.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from marline.artifact import atomic
from marline.artifact.mangling import Renaming
from marline.errors import BuildError

ROOT = "archive"
SERIALIZATION_ID = ".data/serialization_id"
ALIGNMENT = 64  # torch maps tensor records into memory at this alignment
_LOCAL_HEADER = 30  # bytes of a zip entry's local header before its name


def normalise(path: Path) -> None:
    """Rewrite a file of ``torch.jit.save`` in place, so that the same module gives the same bytes.

    Errors raised inside the loaded module no longer show the Python source they came from; its
    results are unchanged.

    Raises:
        BuildError: when ``path`` is not such a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = [(name.split("/", 1)[1], archive.read(name)) for name in archive.namelist()]
    except (zipfile.BadZipFile, IndexError, OSError) as error:
        raise BuildError(f"{path}: is not a file of torch.jit.save ({error}); save the module again") from error
    kept = [(name, data) for name, data in records if not name.endswith(".debug_pkl") and name != SERIALIZATION_ID]
    renaming = Renaming([name for name, _ in kept])
    renamed = [renaming.record(name, data) for name, data in kept]
    write(path, renamed)


def write(path: Path, records: list[tuple[str, bytes]]) -> None:
    """Write records as torch lays them out, with an id made from them alone, in place of what is there.

    Args:
        path: the file.
        records: name below the archive's root, and content; without the id.
    """
    with atomic.replacing(path) as partial:
        _write(partial, [*records, (SERIALIZATION_ID, _identity(records))])


def _identity(records: list[tuple[str, bytes]]) -> bytes:
    """40 decimal digits, as torch writes, from the records themselves."""
    found = hashlib.sha256()
    for name, data in records:
        found.update(f"{name}\0{len(data)}\0".encode())
        found.update(data)
    return f"{int(found.hexdigest(), 16) % 10**40:040d}".encode()


def _write(target: Path, records: list[tuple[str, bytes]]) -> None:
    with target.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records:
            entry = zipfile.ZipInfo(f"{ROOT}/{name}", (1980, 1, 1, 0, 0, 0))
            entry.create_system = 0
            entry.external_attr = 0
            start = file.tell() + _LOCAL_HEADER + len(entry.filename.encode()) + 4
            padding = -start % ALIGNMENT
            # torch pads with an extra field "FB" too; its content is not read
            entry.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
            archive.writestr(entry, data)
