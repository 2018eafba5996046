"""Replay on demand: an HTTP server that replays at each POST and answers with the verdict.

Flagger asks it before a canary gets its first request. The request decides nothing but the moment: which endpoints and
which requests was decided at the start, so that nobody can send them elsewhere.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from marline.agent.addresses import everywhere
from marline.errors import MarlineError, ServeError

Replay = Callable[[], tuple[bool, list[str]]]
Say = Callable[[str], Any]

MAX_BODY_BYTES = 64 << 10
# an event of Kubernetes, in which Flagger repeats the answer, holds 1,024
MAX_ANSWER_BYTES = 800
CLIENT_TIMEOUT_S = 10.0
SHOWN_CHARS = 100
KEYS = ("namespace", "name")
# Flagger asks again after a status of 500 or more, and then no longer says what was answered
AGREE, WRONG, DISAGREE, BUSY, BROKEN = 200, 400, 409, 423, 424


class Webhook(ThreadingHTTPServer):
    """The server; ``serve_forever`` runs it.

    Args:
        port: to listen on, at all addresses; 0 for any that is free.
        replay: does it once and says whether the limits were kept, and the lines that `marline replay` prints, the
            verdict last. A :class:`MarlineError` of it means that nothing could be compared.
        say: gets every line that is to be logged.

    Raises:
        ServeError: when nothing can listen on the port.
    """

    daemon_threads = True

    def __init__(self, port: int, replay: Replay, say: Say) -> None:
        self.replay, self.say = replay, say
        self.one = threading.Lock()
        super().__init__(("", port), _Handler, bind_and_activate=False)
        self.socket.close()
        try:
            self.socket = everywhere(port)
            self.server_activate()
        except OSError as error:
            raise ServeError(
                f"`--serve {port}`: nothing can listen on this port ({error.strerror}); name a free one"
            ) from error
        self.server_port = self.socket.getsockname()[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One line for a client that has gone; anything else is a fault of this program."""
        if isinstance(error := sys.exception(), OSError):
            self.say(f"{client_address[0]} has gone: {error}")
        else:
            super().handle_error(request, client_address)

    def verdict(self, who: str) -> tuple[int, str]:
        """Replay once, unless a replay is under way; status and text of the answer."""
        kept: bool | None
        if not self.one.acquire(blocking=False):
            return BUSY, "another replay is under way; ask again when it is over"
        try:
            self.say(f"replay for {who}")
            kept, lines = self.replay()
        except MarlineError as error:
            kept, lines = None, [f"error: {error}"]
        finally:
            self.one.release()
        for line in lines:
            self.say(line)
        # the verdict first: the rest may be cut off
        return {True: AGREE, False: DISAGREE, None: BROKEN}[kept], "\n".join([lines[-1], *lines[:-1]])


class _Handler(BaseHTTPRequestHandler):
    server: Webhook
    timeout = CLIENT_TIMEOUT_S

    def do_GET(self) -> None:
        """Answer probes."""
        self._answer(200 if self.path in ("/live", "/ready") else 404, "")

    def do_POST(self) -> None:
        """Replay for who asks."""
        try:
            who = self._who()
        except ServeError as error:
            self._answer(WRONG, str(error))
        else:
            self._answer(*self.server.verdict(who))

    def _who(self) -> str:
        """Who asks, as the body says."""
        length = self.headers.get("content-length", "")
        if not (length.isdecimal() and 0 < int(length) <= MAX_BODY_BYTES):
            raise ServeError(
                f"content-length {length!r}: must be 1 to {MAX_BODY_BYTES}; send the JSON that Flagger sends"
            )
        try:
            document = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not all(isinstance(document.get(key), str) for key in KEYS):
            raise ServeError(
                "the body must be a JSON object with the texts `name` and `namespace`; send what Flagger sends"
            )
        shown = "/".join(document[key][:SHOWN_CHARS] for key in KEYS)
        return shown.encode("unicode_escape").decode()

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        if len(body) > MAX_ANSWER_BYTES:
            body = body[:MAX_ANSWER_BYTES].decode(errors="ignore").encode() + "…".encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log no probes."""
