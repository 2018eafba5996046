"""A real Envoy with the front's configuration, on a port that the kernel chooses."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.upstream import Upstream
from agent.waiting import until
from handlerkit.manifest import Manifest, Requirements, Source
from marline.agent import front
from marline.agent.places import Places
from marline.agent.settings import PodSettings
from marline.artifact.atomic import write_json

MANIFEST = Manifest(
    schema_version=1, model="toy.model", version="1.0.0", variant="onnx-int8", task="tensor", format="onnx",
    source=Source("here", "1", "0" * 64), files=(), inputs=(), outputs=(), tokenizer=None, labels=(),
    requirements=Requirements("3.11", {}, ()), inference_parameters={}, warmup_shapes=(), golden=(), golden_atol=0.0,
    drift_baseline=None, build={}, handler_contract=1, licence="MIT",
)  # fmt: skip
PREDICT = "/predictions/toy.model"


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Front:
    """One running front."""

    process: subprocess.Popen[bytes]
    places: Places
    log: Path
    port: int = 0
    open: list[socket.socket] = field(default_factory=list)

    def ask(self, path: str = PREDICT, body: bytes | None = b"{}", method: str = "POST", **headers: str) -> Response:
        """One request on a connection of its own; ``_`` in a header's name is ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            return self.on(connection, path, body, method, **headers)
        finally:
            connection.close()

    @staticmethod
    def on(connection: http.client.HTTPConnection, path: str, body: Any, method: str = "POST", **headers: str) -> Response:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def connect(self) -> socket.socket:
        """A connection for bytes of any kind; closed with the front."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.open.append(made)
        return made

    def raw(self, data: bytes) -> bytes:
        """Send bytes as they are; everything that comes until the front closes the connection."""
        return rest(self.connect(), data)

    def admin(self, path: str, method: str = "GET") -> bytes:
        """Ask the administration."""
        connection = http.client.HTTPConnection("admin", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(10)
            connection.sock.connect(str(self.places.admin))
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def stop(self) -> list[dict[str, Any]]:
        """End it; its access log."""
        for one in self.open:
            one.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def rest(connection: socket.socket, data: bytes) -> bytes:
    """What comes after some bytes, until the connection ends."""
    got = b""
    try:
        connection.sendall(data)
        while block := connection.recv(65536):
            got += block
    except ConnectionError:
        pass  # cut by the front, which is an answer as well
    return got


def settings(**sections: dict[str, Any]) -> PodSettings:
    """Small limits, so that they are reached."""
    document: dict[str, Any] = {"endpoint": "blue", "archive": {"path": "/archives/toy.mar", "sha256": "0" * 64}, **sections}
    return PodSettings.model_validate(document)


@contextmanager
def running(upstream: Upstream, pod: PodSettings, manifest: Manifest = MANIFEST) -> Iterator[Front]:
    """Start Envoy, wait until it listens, stop it at the end."""
    # a short path: that of a unix socket may have 107 bytes
    root = Path(tempfile.mkdtemp(prefix="front-"))
    places, log = Places(root), root / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(front, "FRONT_PORT", 0)
        patch.setattr(front, "INFERENCE_PORT", upstream.port)
        patch.setattr(front, "AGENT_PORT", upstream.agent_port)
        write_json(places.front, front.configuration(pod, manifest, places))
    envoy = str(Path(sys.executable).with_name("envoy"))
    command = [envoy, "-c", str(places.front), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
    with log.open("wb") as out, (root / "err").open("wb") as err:
        made = Front(subprocess.Popen(command, stdout=out, stderr=err), places, log)
    try:
        until(lambda: _ready(made), "the front listens")
        yield made
    finally:
        made.stop()
        shutil.rmtree(root)


def _ready(made: Front) -> bool:
    assert made.process.poll() is None, (made.log.parent / "err").read_text()
    try:
        live = made.admin("/ready").strip() == b"LIVE"
        listeners = json.loads(made.admin("/listeners?format=json"))["listener_statuses"]
    except (OSError, http.client.HTTPException):
        return False
    ports = [s["local_address"]["socket_address"]["port_value"] for s in listeners if s["name"] == "ingress"]
    made.port = ports[0] if ports else 0
    return live and made.port > 0
