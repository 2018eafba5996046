"""TorchServe's protocol between frontend and worker, read through a buffer.

TorchServe 0.12.0 reads each number and each text of a message with a system call of its own: four for a
header, some fifty for a request.  Here the socket is read in pieces as large as what has arrived, and the
message is cut out of memory; what comes out is equal, in value and type, to what upstream's functions return.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, Protocol

PIECE = 1 << 16
LOAD, PREDICT = b"L", b"I"
END = -1
_INT = struct.Struct("!i")


class Connection(Protocol):
    """What is needed of a socket."""

    def recv_into(self, buffer: memoryview) -> int:
        """As many bytes as are there, at least one; 0 at the end."""
        ...


class Reader:
    """Messages of one connection.

    Args:
        connection: of the frontend.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._data = bytearray()
        self._at = 0
        self._piece = memoryview(bytearray(PIECE))

    def message(self) -> tuple[bytearray, Any]:
        """The next command and its message.

        Raises:
            SystemExit: with code 0 when the frontend has gone.
            ValueError: for a command that is none.
        """
        del self._data[: self._at]  # the last message; of the next one little or nothing is here yet
        self._at = 0
        command = self._take(1)
        if command == PREDICT:
            return command, self._requests()
        if command == LOAD:
            return command, self._load()
        raise ValueError(f"Invalid command: {command!r}")

    def _take(self, length: int) -> bytearray:
        end = self._at + max(length, 0)  # upstream takes a negative length for none
        while len(self._data) < end:
            count = self._connection.recv_into(self._piece)
            if count == 0:
                sys.exit(0)
            self._data += self._piece[:count]
        found = self._data[self._at : end]
        self._at = end
        return found

    def _int(self) -> int:
        end = self._at + 4
        if len(self._data) < end:
            self._take(4)
        else:
            self._at = end
        number: int = _INT.unpack_from(self._data, end - 4)[0]
        return number

    def _text(self) -> bytearray:
        return self._take(self._int())

    def _load(self) -> dict[str, Any]:
        found: dict[str, Any] = {"modelName": self._text(), "modelPath": self._text(), "batchSize": self._int()}
        found["handler"] = self._text()
        if (gpu := self._int()) >= 0:
            found["gpu"] = gpu
        found["envelope"] = self._text()
        found["limitMaxImagePixels"] = self._take(1) != b"\x00"
        return found

    def _requests(self) -> list[dict[str, Any]]:
        found = []
        while (length := self._int()) != END:
            request: dict[str, Any] = {"requestId": self._take(length), "headers": [], "parameters": []}
            while (length := self._int()) != END:
                request["headers"].append({"name": self._take(length), "value": self._text()})
            while (length := self._int()) != END:
                request["parameters"].append(
                    {
                        "name": self._take(length).decode("utf-8"),
                        "contentType": self._text().decode("utf-8"),
                        "value": self._text(),
                    }
                )
            found.append(request)
        return found
