"""A checked ``.mar`` unpacked, and its own handler loaded from it."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlerkit.errors import LoadError
from handlerkit.serving import Handler
from marline.errors import ServeError
from marline.serve.torchserve.archives import MAR_MANIFEST, Served


@dataclass(frozen=True)
class Asked:
    """One request: its body as TorchServe would hand it to a handler, and its headers (lower-case names)."""

    row: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    """One answer: status, headers, and the body."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class BatchContext:
    """What a handler uses of TorchServe's context, for one batch."""

    def __init__(self, batch: Sequence[Asked]) -> None:
        self._batch = batch
        self.answers = [Answer() for _ in batch]

    def get_request_header(self, idx: int, key: str) -> str | None:
        """A header that came with request ``idx``."""
        return self._batch[idx].headers.get(key.lower())

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """The status of answer ``idx``; HTTP's own phrases are sent."""
        self.answers[idx].status = code

    def set_response_content_type(self, idx: int, value: str) -> None:
        """The content type of answer ``idx``."""
        self.set_response_header(idx, "content-type", value)

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        """A header of answer ``idx``."""
        self.answers[idx].headers[key.lower()] = value


def answer(handler: Handler, batch: Sequence[Asked]) -> list[Answer]:
    """Answer a batch: one answer per request, each with a status of its own."""
    context = BatchContext(batch)
    for found, body in zip(context.answers, handler.handle([a.row for a in batch], context), strict=True):
        found.body = body
    return context.answers


def unpack(served: Served, target: Path) -> None:
    """Unpack an archive that :func:`~marline.serve.torchserve.archives.read_archive` found whole.

    Raises:
        ServeError: when it cannot be unpacked into ``target``.
    """
    try:
        with zipfile.ZipFile(served.path) as archive:
            archive.extractall(target)
    except (OSError, zipfile.BadZipFile) as error:
        raise ServeError(f"{served.path}: cannot be unpacked into {target} ({error}); make room there") from error


def load_handler(directory: Path) -> Handler:
    """The handler that an unpacked archive carries, loaded, its golden requests answered.

    Its threads are those of the environment (MARLINE_THREADS).

    Raises:
        LoadError: when the archive cannot be loaded here, or answers a golden request wrongly.
    """
    name = str(json.loads((directory / MAR_MANIFEST).read_bytes())["model"]["handler"]).split(":")[0]
    path = directory / (name if name.endswith(".py") else f"{name}.py")
    # named by its archive too, so that a traceback says whose it is
    found = importlib.util.spec_from_file_location(f"{directory.name}_{path.stem}", path)
    if found is None or found.loader is None:
        raise LoadError(f"{path}: is no Python module; rebuild the archive")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    kinds = [v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__]
    if len(kinds) != 1 or not issubclass(kinds[0], Handler):
        raise LoadError(f"{path}: holds {len(kinds)} classes, not one handler; rebuild the archive")
    handler: Handler = kinds[0]()
    handler.load(directory)
    return handler
