"""What answers like Prometheus' API, over real HTTP, from samples that a test wrote."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from unit.rollout.api_server import serving

NOW = 1_790_000_000.0
SELECTOR = re.compile(r"\{(.*)\}(\[30s\])?")
MATCHER = re.compile(r'(\w+)=(~?)("(?:[^"\\]|\\.)*")')


class Api:
    """Series with their samples, and what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.series: list[tuple[dict[str, str], list[tuple[float, float]]]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.reply: Callable[[dict[str, str]], tuple[int, bytes] | None] = lambda parameters: None
        self.location = ""

    def add(self, name: str, value: float, ago: float = 1.0, /, **labels: str) -> None:
        """One series with one sample."""
        self.series.append(({"__name__": name, "namespace": "models", **labels}, [(NOW - ago, value)]))

    def front(self, pod: str, ago: float = 1.0, **counters: float | dict[str, float]) -> None:
        """What a front writes: ``answers``, ``errors``, ``buckets``, ``classes``; of what is not named, nothing."""
        ingress = {"pod": pod, "envoy_http_conn_manager_prefix": "ingress"}
        self.add("envoy_server_live", 1, ago, pod=pod)
        for name, value in counters.items():
            match name:
                case "answers":
                    self.add("envoy_http_downstream_rq_completed", value, ago, **ingress)
                case "errors":
                    self.add("envoy_http_downstream_rq_xx", value, ago, envoy_response_code_class="5", **ingress)
                case "buckets":
                    for le, count in value.items():
                        self.add("envoy_http_downstream_rq_time_bucket", count, ago, le=le, **ingress)
                case "classes":
                    for each, count in value.items():
                        self.add("envoy_http_lua_answers", count, ago, **{"class": each}, **ingress)

    def result(self, parameters: dict[str, str]) -> dict[str, Any]:
        at = float(parameters["time"])
        text, ranged = SELECTOR.fullmatch(parameters["query"]).groups()
        matchers = [(label, kind, json.loads(value)) for label, kind, value in MATCHER.findall(text)]
        found = []
        for labels, samples in self.series:
            seen = [sample for sample in samples if at - 30 < sample[0] <= at]
            fits = all(
                re.fullmatch(value, labels.get(label, "")) if kind else labels.get(label, "") == value
                for label, kind, value in matchers
            )
            if seen and fits:
                values = [[at, str(seen[-1][1])]] if not ranged else [[when, str(value)] for when, value in seen]
                found.append({"metric": labels, "values": values} if ranged else {"metric": labels, "value": values[0]})
        return {"status": "success", "data": {"resultType": "matrix" if ranged else "vector", "result": found}}


@contextmanager
def api() -> Iterator[Api]:
    made = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode()
            parameters = dict(urllib.parse.parse_qsl(form, strict_parsing=True))
            made.asked.append((self.path, parameters))
            status, body = made.reply(parameters) or (200, json.dumps(made.result(parameters)).encode())
            if status == 0:
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", made.location)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as made.url:
        yield made
