"""A real HTTP server with one file, and faults that are used up one by one, a request each."""

from __future__ import annotations

import http.server
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Fault = Callable[["Handler", bytes, int], bool]


@dataclass
class Source:
    """Args:
    content: of the file, at every path.
    ranges: whether byte ranges are served.
    faults: one for each of the next requests; None is no fault.
    """

    content: bytes
    ranges: bool = True
    faults: list[Fault | None] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/dir/model.mar"

    @property
    def offsets(self) -> list[int]:
        """From which byte each request asked."""
        return [int(found[1]) if (found := re.match(r"bytes=(\d+)-$", r or "")) else 0 for _, r in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    source: Source

    def do_GET(self) -> None:
        source, header = self.source, self.headers["range"]
        source.asked.append((self.path, header))
        source.authorizations.append(self.headers["authorization"])
        fault = source.faults.pop(0) if source.faults else None
        start = source.offsets[-1] if source.ranges else 0
        if start >= len(source.content) and start:
            self.head(416, 0)
            return
        body = source.content[start:]
        if fault and fault(self, body, start):
            return
        self.begin(body, start)
        self.wfile.write(body)

    def begin(self, body: bytes, start: int) -> None:
        total = start + len(body)
        more = {"content-range": f"bytes {start}-{total - 1}/{total}"} if start else {}
        self.head(206 if start else 200, len(body), more)

    def head(self, status: int, length: int, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(length), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def status(code: int, text: bytes = b"refuse", **headers: str) -> Fault:
    """Answer with a status and a body that, unless given, tells nothing."""

    def fault(handler: Handler, body: bytes, start: int) -> bool:
        handler.head(code, len(text), headers)
        handler.wfile.write(text)
        return True

    return fault


def cut_after(count: int) -> Fault:
    """Promise everything, send so many bytes, and close the connection."""

    def fault(handler: Handler, body: bytes, start: int) -> bool:
        handler.begin(body, start)
        handler.wfile.write(body[:count])
        handler.close_connection = True
        return True

    return fault


def hold_after(count: int, release: threading.Event) -> Fault:
    """Send so many bytes and nothing more until released."""

    def fault(handler: Handler, body: bytes, start: int) -> bool:
        handler.begin(body, start)
        handler.wfile.write(body[:count])
        handler.wfile.flush()
        release.wait(60)
        handler.close_connection = True
        return True

    return fault


def without_length(handler: Handler, body: bytes, start: int) -> bool:
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    return True


@contextmanager
def serving(content: bytes, ranges: bool = True, tls: ssl.SSLContext | None = None) -> Iterator[Source]:
    source = Source(content, ranges, scheme="https" if tls else "http")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"source": source}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that go away in the middle
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    source.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield source
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
