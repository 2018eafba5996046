"""Packages of AOTInductor without the traces of the machine that compiled them.

torch puts the C++ sources into a package, with the commands that compiled them and the folders they lay in.
A worker loads the library beside them; the sources stay behind.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from marline.artifact.torchscript import SERIALIZATION_ID, write
from marline.errors import BuildError

SOURCES = ".cpp"
LIBRARY = ".so"


def normalise(path: Path) -> None:
    """Rewrite a file of ``aoti_compile_and_package`` in place: the same library gives the same bytes.

    Raises:
        BuildError: when ``path`` is not such a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = [(name.split("/", 1)[1], archive.read(name)) for name in archive.namelist()]
    except (zipfile.BadZipFile, IndexError, OSError) as error:
        raise BuildError(f"{path}: is not a package of AOTInductor ({error}); compile the model again") from error
    kept = [(name, data) for name, data in records if not name.endswith(SOURCES) and name != SERIALIZATION_ID]
    if not any(name.endswith(LIBRARY) for name, _ in kept):
        raise BuildError(f"{path}: is not a package of AOTInductor (no library in it); compile the model again")
    write(path, sorted(kept))
