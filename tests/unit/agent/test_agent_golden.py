"""A golden answer over HTTP against the archive's record."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlerkit.manifest import Golden
from marline.agent import golden
from marline.errors import ServeError
from marline.serve import read_archive
from server import tiny_archives as tiny
from unit.agent.pod import CLASSIFIER, MANIFEST, RIGHT, settings

EMBEDDING = replace(MANIFEST, task="embedding", golden=(Golden({"text": "a"}, None, {"embedding": [0.6, 0.8]}),))
LABEL = {**RIGHT, "label": "positive", "scores": {"positive": 0.9}}


def difference(document: Any, manifest: Any = MANIFEST, status: int = 200) -> str:
    answer = document if isinstance(document, bytes) else json.dumps(document).encode()
    return golden.difference(manifest, manifest.golden[0], status, answer)


@pytest.mark.parametrize(
    ("manifest", "document"),
    [(MANIFEST, RIGHT), (MANIFEST, {**RIGHT, "outputs": {"y": [2.009, 4], "z": 1}, "more": 1}), (CLASSIFIER, LABEL),
     (EMBEDDING, {**RIGHT, "embedding": [0.6, 0.8]})],
)  # fmt: skip
def test_what_the_record_says_is_right(manifest: Any, document: Any) -> None:
    assert difference(document, manifest) == ""


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({**RIGHT, "outputs": {"y": [2.0, 4.1]}}, "output 'y' differs by 0.1, allowed 0.01"),
        ({**RIGHT, "outputs": {"y": [2.0, None]}}, "output 'y' differs by nan, allowed 0.01"),
        ({**RIGHT, "outputs": {"y": [2.0]}}, "output 'y' has shape (1,) instead of (2,)"),
        ({**RIGHT, "outputs": {"z": [2.0, 4.0]}}, "no output 'y', only ['z']"),
        ({**RIGHT, "outputs": None}, "no output 'y', only []"),
        ({**RIGHT, "model": "other"}, "model 'other' instead of 'toy'"),
        ({**RIGHT, "model_version": "2.0.0"}, "model_version '2.0.0' instead of '1.0.0'"),
        ({**RIGHT, "variant": "onnx-fp32"}, "variant 'onnx-fp32' instead of 'onnx-int8'"),
        ({}, "model None instead of 'toy'"),
        ([RIGHT], "a list instead of an object"),
        (b"Prediction failed", "no JSON document: Prediction failed"),
        (b"", "no JSON document: "),
    ],
)  # fmt: skip
def test_anything_else_is_told(document: Any, says: str) -> None:
    assert difference(document) == says


@pytest.mark.parametrize("value", ["text", [[1.0], [1.0, 2.0]], {"a": 1}, [{}]])
def test_outputs_that_are_no_numbers_are_wrong_and_no_crash(value: Any) -> None:
    assert difference({**RIGHT, "outputs": {"y": value}}).startswith("outputs that are no arrays of numbers: {")
    assert difference({**RIGHT, "embedding": value}, EMBEDDING).startswith("outputs that are no arrays of numbers: {")


def test_another_label_is_wrong() -> None:
    assert difference({**LABEL, "label": "negative"}, CLASSIFIER) == "label 'negative' instead of 'positive'"
    assert difference(RIGHT, CLASSIFIER) == "label None instead of 'positive'"


def test_a_missing_embedding_is_wrong() -> None:
    assert difference(RIGHT, EMBEDDING) != ""


def test_no_other_status_is_an_answer() -> None:
    assert difference(RIGHT, status=500).startswith("status 500: {")
    assert difference(b"x" * 1000, status=503) == "status 503: " + "x" * 200


class Service:
    """What clients reach; it answers the n-th request with the n-th document, and the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, Any]] = []
        self.url = ""


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            status, document = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.doubler(tmp_path_factory.mktemp("archive") / "doubler.mar")


DOUBLED = {"model": "doubler", "model_version": "1.0.0", "variant": "onnx-fp32", "outputs": {"y": [2.0, 4.0]}}
PATH = "/predictions/doubler/1.0.0-onnx-fp32"


def ask(archive: Path, url: str) -> str:
    return golden.ask_all(settings(archive={"path": str(archive), "sha256": "0" * 64}), url)


def test_every_request_of_the_archive_is_asked_through_the_service(archive: Path, service: Service) -> None:
    service.answers = [(200, DOUBLED)]
    assert ask(archive, f"{service.url}/") == f"{service.url}{PATH}: 1 golden requests answered rightly"
    assert service.asked == [(PATH, g.request) for g in read_archive(archive).manifest.golden]


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ((200, {**DOUBLED, "outputs": {"y": [2.0, 5.0]}}), "output 'y' differs by 1, allowed 0.0001"),
        ((200, {**DOUBLED, "model_version": "0.9.0"}), "model_version '0.9.0' instead of '1.0.0'"),
        ((503, {"code": 503}), 'status 503: {"code": 503}'),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_one_sentence(archive: Path, service: Service, answer: tuple[int, Any], wrong: str) -> None:
    service.answers = [answer]
    with pytest.raises(ServeError) as caught:
        ask(archive, service.url)
    assert str(caught.value) == f"{service.url}{PATH}: golden request 0 answered wrongly: {wrong}; roll the release back"


def test_no_answer_is_one_sentence(archive: Path) -> None:
    with pytest.raises(ServeError) as caught:
        ask(archive, "http://127.0.0.1:1")
    assert str(caught.value) == (
        f"http://127.0.0.1:1{PATH}: golden request 0 got no answer (<urlopen error [Errno 111] Connection refused>); "
        "see whether its pods are ready"
    )
