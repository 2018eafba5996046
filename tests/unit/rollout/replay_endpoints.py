"""Endpoints that answer what a test says, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from unit.rollout.api_server import serving

Answer = Callable[[Any], tuple[int, Any]]


class Served:
    """A running endpoint: its URL, what it was sent, and the most requests it had at once."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.url = ""


@contextmanager
def endpoint(answer: Answer) -> Iterator[Served]:
    """Serve ``answer``: of a decoded request, a status and a document (bytes are sent as they are; status 0 hangs up)."""
    served = Served(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with served.lock:
                served.at_once += 1
                served.most_at_once = max(served.most_at_once, served.at_once)
            try:
                document = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with served.lock:
                    served.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, document))
                status, found = served.answer(document)
            finally:
                with served.lock:
                    served.at_once -= 1
            if status == 0:
                return
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", "/elsewhere")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as served.url:
        yield served


def classified(positive: float, variant: str = "onnx-fp32", **changes: Any) -> dict[str, Any]:
    """A classifier's answer."""
    label = "positive" if positive > 0.5 else "negative"
    scores = {"negative": round(1 - positive, 6), "positive": positive}
    said = {"label": label, "confidence": max(scores.values()), "scores": scores}
    return said | {"model": "sentiment", "model_version": "1.0.0", "variant": variant} | changes


def embedded(vector: list[float]) -> dict[str, Any]:
    return {"embedding": vector, "model": "search", "model_version": "1.0.0", "variant": "onnx-fp32"}


def outputs(variant: str = "onnx-fp32", **tensors: Any) -> dict[str, Any]:
    return {"outputs": tensors, "model": "scaler", "model_version": "1.0.0", "variant": variant}
