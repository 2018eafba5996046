"""The management API over its unix socket; Describe is the one endpoint that tells the truth."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Described:
    """One registered version of a model: process ids of its workers that have loaded, and of all it has."""

    model: str
    version: str
    ready: tuple[int, ...]
    pids: tuple[int, ...]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def request(path: Path, method: str, url: str, timeout: float = 10.0) -> tuple[int, Any]:
    """Ask the management API.

    Returns:
        HTTP status and the JSON document.

    Raises:
        OSError, http.client.HTTPException: while nothing listens on the socket yet.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request(method, url)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


def describe(path: Path, model: str) -> list[Described]:
    """All registered versions of a model; none where TorchServe has refused them all.

    Raises:
        OSError, http.client.HTTPException: while nothing listens on the socket yet.
    """
    status, document = request(path, "GET", f"/models/{model}/all")
    if status != 200:
        return []
    return [
        Described(
            model=str(entry["modelName"]),
            version=str(entry["modelVersion"]),
            ready=tuple(int(w["pid"]) for w in entry["workers"] if w["status"] == "READY"),
            pids=tuple(int(w["pid"]) for w in entry["workers"] if int(w["pid"]) > 0),
        )
        for entry in document
    ]
