"""A small server that answers by the text it is asked, and counts what it was asked."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from marline.bench.questions import Question

LABEL = 'b.d-%[x]^$ "ü"'
"""Everything that means something to a pattern."""
TEXTS = (
    "right", "right, with blanks", "wrong", "nearly right", "refused", "broken",
)  # fmt: skip


def questions() -> list[Question]:
    return [Question(text, LABEL, 3) for text in TEXTS]


@dataclass
class Asked:
    """Where it listens, and how often each body was answered."""

    url: str
    bodies: Counter[bytes] = field(default_factory=Counter)
    paths: set[str] = field(default_factory=set)

    def count(self, *texts: str) -> int:
        """Answers to some texts."""
        return sum(n for body, n in self.bodies.items() if json.loads(body)["text"] in texts)


def answer(text: str) -> tuple[int, str]:
    """Status and body."""
    label = {"wrong": "good", "nearly right": LABEL.replace(".", "X", 1)}.get(text, LABEL)
    status = {"refused": 503, "broken": 500}.get(text, 200)
    blanks = "   " if "blanks" in text else ""
    return status, f'{{"label":{blanks}"{label}"}}'


@contextmanager
def answering() -> Iterator[Asked]:
    """Run the server."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, text = answer(json.loads(body)["text"])
            data = text.encode()
            with lock:
                asked.bodies[body] += 1
                asked.paths.add(self.path)
            head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        asked = Asked(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()
