"""An API server of one namespace, with its objects in memory: what a rollout asks of a real one."""

from __future__ import annotations

import copy
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubernetes import client

from marline.rollout.kube import Kube, Object

NAMESPACE = "models"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    resource: str
    name: str
    query: dict[str, str]
    kind: str
    body: Any

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class Api:
    """Objects by resource and name.

    Attributes:
        calls: every request so far.
        trouble: what to answer instead, None for the right answer.
        written: called after every write, with the resource.
        helm: what a Helm is to do that has these values.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.calls: list[Call] = []
        self.trouble: Callable[[Call], Answer | None] = lambda call: None
        self.written: Callable[[str], None] = lambda resource: None
        self.helm: Callable[[Any], str] = lambda values: "ok"
        self.lock = threading.RLock()
        self._version = 0

    def put(self, resource: str, body: Object) -> Object:
        """Write an object as it is."""
        with self.lock:
            self._version += 1
            key = (resource, body["metadata"]["name"])
            before = self.objects.get(key)
            body = copy.deepcopy(body)
            body["metadata"] |= {"namespace": NAMESPACE, "resourceVersion": str(self._version)}
            generation = before["metadata"]["generation"] if before else 0
            same = before is not None and before.get("spec") == body.get("spec")
            body["metadata"]["generation"] = generation if same else generation + 1
            self.objects[key] = body
            self.written(resource)
            return body

    def there(self, resource: str) -> dict[str, Object]:
        """The objects themselves."""
        with self.lock:
            return {name: found for (of, name), found in self.objects.items() if of == resource}

    def all(self, resource: str) -> dict[str, Object]:
        return copy.deepcopy(self.there(resource))

    def drop(self, resource: str, name: str) -> None:
        with self.lock:
            del self.objects[resource, name]
            self.written(resource)

    def handle(self, method: str, target: str, kind: str, body: Any) -> Answer:
        """Answer one request: status and document as text, since the object itself goes on changing."""
        parts = urllib.parse.urlsplit(target)
        if parts.path == "/helm":
            return 200, json.dumps({"order": self.helm(body)}).encode()
        _, _, path = parts.path.partition("/namespaces/")
        namespace, resource, *rest = path.split("/")
        assert namespace == NAMESPACE, target
        call = Call(method, resource, rest[0] if rest else "", dict(urllib.parse.parse_qsl(parts.query)), kind, body)
        with self.lock:
            self.calls.append(call)
            status, document = self.trouble(call) or self._answer(call)
            return status, document if isinstance(document, bytes) else json.dumps(document).encode()

    def _answer(self, call: Call) -> Answer:
        found = self.objects.get((call.resource, call.name))
        if call.method == "GET" and not call.name:
            wanted = dict(term.split("=") for term in call.query.get("labelSelector", "").split(",") if term)
            items = self.there(call.resource).values()
            return 200, {"items": [i for i in items if wanted.items() <= i["metadata"].get("labels", {}).items()]}
        if call.method == "POST":
            if (call.resource, call.body["metadata"]["name"]) in self.objects:
                return refusal(409, f'{call.resource} "{call.body["metadata"]["name"]}" already exists')
            return 201, self.put(call.resource, call.body)
        if call.method == "PATCH" and call.kind == APPLY:
            assert {"fieldManager", "force"} <= set(call.query)
            # the real one knows which fields are the applier's own; nobody here applies fewer than before
            body = json.loads(call.body) if isinstance(call.body, str) else call.body
            return 200, self.put(call.resource, merged(found or {}, body))
        if found is None:
            return refusal(404, f'{call.resource} "{call.name}" not found')
        if call.method == "GET":
            return 200, found
        if call.method == "DELETE":
            self.drop(call.resource, call.name)
            return 200, {"kind": "Status", "status": "Success"}
        version = call.body["metadata"].get("resourceVersion") if "metadata" in call.body else None
        if version is not None and version != found["metadata"]["resourceVersion"]:
            return refusal(409, "the object has been modified; please apply your changes to the latest version")
        if call.method == "PUT":
            return 200, self.put(call.resource, call.body)
        assert (call.method, call.kind) == ("PATCH", MERGE), call
        return 200, self.put(call.resource, merged(found, call.body))


def refusal(status: int, message: str) -> Answer:
    return status, {"kind": "Status", "status": "Failure", "message": message, "code": status}


def merged(before: Any, patch: Any) -> Any:
    """A merge patch: null takes away, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    out = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


@contextmanager
def served(api: Api) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # head and body are two writes, and the second would wait for the client's acknowledgement
        disable_nagle_algorithm = True

        def _any(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.loads(text) if text else None
            status, document = api.handle(self.command, self.path, self.headers.get("content-type") or "", body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], *places: tuple[str, int]) -> Iterator[str]:
    """HTTP servers of one handler; the URL of the first."""
    servers: list[ThreadingHTTPServer] = []
    threads: list[threading.Thread] = []
    try:
        for place in places or (("127.0.0.1", 0),):
            servers.append(server := ThreadingHTTPServer(place, handler))
            server.daemon_threads = True
            threads.append(threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True))
            threads[-1].start()
        host, port = servers[0].server_address[:2]
        yield f"http://{host!s}:{port}"
    finally:
        for server, thread in zip(servers, threads, strict=False):
            server.shutdown()
            thread.join()
        for server in servers:
            server.server_close()


def kube(url: str) -> Kube:
    """The real client."""
    settings = client.Configuration()
    settings.host, settings.retries = url, False
    return Kube(client.ApiClient(settings), NAMESPACE)
