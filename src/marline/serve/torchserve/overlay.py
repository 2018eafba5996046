"""Copies of single frontend classes, mended, in front of the jar on the class path.

TorchServe is archived, so its defects stay; each is mended by the smallest change of a class's bytes, and
only of the class whose sha256 is known.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marline.errors import ServeError
from marline.serve.torchserve import lost_jobs, no_wait, raw_forms

JAR = "model-server.jar"


@dataclass(frozen=True)
class Mended:
    """A class of TorchServe 0.12.0: its file in the jar, the sha256 of that, and the change to it."""

    path: str
    sha256: str
    change: Callable[[bytes], bytes]


CLASSES = (
    Mended(raw_forms.CLASS, raw_forms.SHA256, raw_forms.renamed),
    Mended(lost_jobs.CLASS, lost_jobs.SHA256, lost_jobs.told),
)
WITHOUT_WAITING = Mended(no_wait.CLASS, no_wait.SHA256, no_wait.impatient)


def overlay(frontend: Path, target: Path, *, waits: bool) -> None:
    """Write the mended classes below ``target``, a directory for the front of the class path.

    Args:
        frontend: ``ts/frontend`` of TorchServe.
        target: an empty directory of the running server.
        waits: whether batches wait to be filled.

    Raises:
        ServeError: when a class is not the one of TorchServe 0.12.0.
    """
    jar = frontend / JAR
    for mended in CLASSES if waits else (*CLASSES, WITHOUT_WAITING):
        try:
            with zipfile.ZipFile(jar) as archive:
                data = archive.read(mended.path)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ServeError(f"{jar}: cannot be read ({error}); install torchserve again") from error
        if hashlib.sha256(data).hexdigest() != mended.sha256:
            raise ServeError(
                f"{jar}: {mended.path} is not the one of TorchServe 0.12.0; "
                "`pip install --force-reinstall torchserve==0.12.0`"
            )
        path = target / mended.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mended.change(data))
