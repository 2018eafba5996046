"""Paths, content types and errors of a running server."""

from __future__ import annotations

import json

import psutil
import pytest

from marline.serve import TorchServer
from server import tiny_archives as tiny
from server.asking import Reply, ask

PREDICT = "/predictions/sentiment"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def right(reply: Reply, text: str) -> bool:
    """Whether an answer is the one for ``text``, every word of it."""
    return reply.status == 200 and reply.json["scores"]["positive"] == pytest.approx(tiny.positive(text), abs=1e-5)


@pytest.mark.parametrize(
    ("path", "variant"),
    [
        (PREDICT, "onnx-int8"),
        (f"{PREDICT}/1.0.0-onnx-int8", "onnx-int8"),
        (f"{PREDICT}/1.0.0-onnx-fp32", "onnx-fp32"),
        (f"{PREDICT}/1.0.0-torchscript-fp32", "torchscript-fp32"),
        ("/invocations?model_name=sentiment", "onnx-int8"),
    ],
)
def test_every_path_reaches_its_variant(server: TorchServer, path: str, variant: str) -> None:
    reply = ask(server.port, path, json.dumps({"text": "a & b"}), JSON)
    assert right(reply, "a & b")
    assert (reply.json["variant"], reply.json["model_version"]) == (variant, "1.0.0")
    assert reply.headers["content-type"] == "application/json"


def test_a_tensor_model_answers_beside_it(server: TorchServer) -> None:
    reply = ask(server.port, "/predictions/doubler", '{"inputs": {"x": [1, 2.5]}}', JSON)
    assert reply.json["outputs"] == {"y": [2.0, 5.0]}


MULTIPART = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"text": "a & b = c + 100 %"}', JSON),
        ('{"text": "a & b = c + 100 %"}', "application/json; charset=utf-8"),
        ('{"text": "a & b = c + 100 %"}', "text/plain"),
        ('{"text": "a & b = c + 100 %"}', None),
        ('"a & b = c + 100 %"', JSON),
        ("a & b = c + 100 %", "text/plain"),
        ("a & b = c + 100 %", "application/octet-stream"),
        # a bare `curl -d`, which no form decoder may touch: & = + % and a document without = are all there
        ('{"text": "a & b = c + 100 %"}', FORM),
        ("a & b = c + 100 %", FORM),
        ("text=a+%26+b+%3D+c+%2B+100+%25", FORM),
        (MULTIPART.format("data", '{"text": "a & b = c + 100 %"}'), "multipart/form-data; boundary=x"),
        (MULTIPART.format("text", "a & b = c + 100 %"), "multipart/form-data; boundary=x"),
    ],
)
def test_every_way_of_asking_means_the_same(server: TorchServer, body: str, content_type: str | None) -> None:
    assert right(ask(server.port, PREDICT, body, content_type), "a & b = c + 100 %")


def test_a_bare_curl_document_without_any_equals_sign_arrives(server: TorchServer) -> None:
    assert right(ask(server.port, PREDICT, '{"text": "good"}', FORM), "good")


def test_a_list_and_instances_keep_their_shape(server: TorchServer) -> None:
    listed = ask(server.port, PREDICT, '["good", {"text": "bad"}]', JSON).json
    assert [a["label"] for a in listed] == ["positive", "negative"]
    instances = ask(server.port, PREDICT, '{"instances": [{"text": "ü"}]}', JSON).json
    assert instances["predictions"][0]["scores"]["positive"] == pytest.approx(tiny.positive("ü"), abs=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b'{"text": ', 400, "not valid JSON"),
        (b"\xff\xfe", 400, "not UTF-8 (byte 0)"),
        (b"", 400, "is empty"),
        (b'{"text": 7}', 400, "of type int"),
        (b'{"words": "good"}', 400, "has no \"text\""),
        (json.dumps({"text": "a" * 501}).encode(), 413, "501 characters"),
    ],
)
def test_a_bad_body_gets_its_own_4xx(server: TorchServer, body: bytes, status: int, sentence: str) -> None:
    reply = ask(server.port, PREDICT, body, JSON)
    assert (reply.status, reply.json["code"]) == (status, status)
    assert sentence in reply.json["error"]
    assert reply.headers["x-marline-error"] == "request"


def test_an_unknown_model_or_version_is_not_found(server: TorchServer) -> None:
    assert ask(server.port, "/predictions/nobody", '"good"', JSON).status == 404
    assert ask(server.port, f"{PREDICT}/9.9.9", '"good"', JSON).status == 404


def test_metrics_are_prometheus_lines(server: TorchServer) -> None:
    ask(server.port, PREDICT, '"good"', JSON)
    reply = ask(server.metrics_port, "/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    assert b"# TYPE ts_inference_requests_total counter" in reply.body
    assert b'ts_inference_requests_total{model_name="sentiment"' in reply.body


def test_management_is_on_the_unix_socket_alone(server: TorchServer) -> None:
    assert {d.model for d in server.describe()} == {"sentiment", "doubler"}
    group = [p for p in psutil.process_iter() if _same_group(p, server)]
    listening = {c.laddr for p in group for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert {server.port, server.metrics_port} < {address.port for address in listening}
    assert len(listening) == 4  # and two of gRPC, which cannot be switched off
    for port in (server.port, server.metrics_port):
        assert ask(port, "/models").status == 404


def _same_group(process: psutil.Process, server: TorchServer) -> bool:
    try:
        return str(server.run.root) in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_every_worker_of_onnx_runs_without_torch(server: TorchServer) -> None:
    pids = {d.version: d.ready[0] for d in server.describe() if d.model == "sentiment"}
    loaded = {
        version: any("libtorch" in m.path for m in psutil.Process(pid).memory_maps()) for version, pid in pids.items()
    }
    assert loaded == {"1.0.0-onnx-int8": False, "1.0.0-onnx-fp32": False, "1.0.0-torchscript-fp32": True}
