"""Without a delay a batch is what waits when a worker is free: one request alone, many under load."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from marline.serve import TorchServer, serve
from marline.serve.torchserve.describe import request
from server import tiny_archives as tiny
from server.asking import Reply, ask
from server.test_start_and_stop import awaited

BATCH = 8
LONE = 20
QUICK = tiny.SETTINGS.model_copy(update={"batch_size": BATCH, "max_batch_delay_ms": 0})
SLOW = tiny.SETTINGS.model_copy(update={"batch_size": BATCH, "max_batch_delay_ms": 1000})

# each answer tells how many requests its batch had; while a file is there, the worker computes
HELD = """
import time as _time
from pathlib import Path as _Path

_plain, _gate, _entered = TextClassification.handle, _Path({gate!r}), _Path({entered!r})


def _held(self, data, context):
    if _gate.exists():
        _entered.touch()
        for _ in range(6000):
            if not _gate.exists():
                break
            _time.sleep(0.005)
    bodies = _plain(self, data, context)
    for index in range(len(data)):
        context.set_response_header(index, "x-batch", str(len(data)))
    context.metrics.add_time("HandlerTime", 1.0)
    return bodies


TextClassification.handle = _held
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file is there the worker computes; ``entered`` beside it says that it has begun."""
    return tmp_path_factory.mktemp("gate") / "gate"


@pytest.fixture(scope="module")
def archive(archives: dict[str, Path], gate: Path) -> Path:
    code = HELD.format(gate=str(gate), entered=str(gate.with_name("entered"))).encode()
    return tiny.rewritten(archives["fp32"], gate.with_name("held.mar"), {"text_classification.py": lambda own: own + code})


@pytest.fixture(scope="module")
def quick(archive: Path) -> Iterator[TorchServer]:
    with serve([archive], QUICK, port=0) as server:
        server.wait_ready()
        yield server


def good(server: TorchServer) -> Reply:
    reply = ask(server.port, "/predictions/sentiment", json.dumps({"text": "good"}), "application/json")
    assert (reply.status, reply.json["label"]) == (200, "positive")
    return reply


def waiting(server: TorchServer) -> int:
    """Requests in the frontend's queue."""
    _, document = request(server.run.management, "GET", "/models/sentiment/all")
    return int(document[0]["jobQueueStatus"]["pendingRequests"])


def test_a_lone_request_waits_for_nobody(archive: Path, quick: TorchServer) -> None:
    """Twenty, one after another, while another server waits once for its batch to fill; a machine may stall, so thrice."""
    with serve([archive], SLOW, port=0) as slow, ThreadPoolExecutor(1) as pool:
        slow.wait_ready()
        good(slow)
        still = []
        for _ in range(3):
            waits = pool.submit(good, slow)
            sizes = {good(quick).headers["x-batch"] for _ in range(LONE)}
            still.append(not waits.done())
            assert sizes == {"1"}
            assert waits.result().headers["x-batch"] == "1"
            if still[-1]:
                break
    assert any(still)


def test_what_waits_while_the_worker_computes_is_one_batch(quick: TorchServer, gate: Path) -> None:
    good(quick)
    gate.touch()
    try:
        with ThreadPoolExecutor(BATCH) as pool:
            first = pool.submit(good, quick)
            assert awaited(gate.with_name("entered").exists)
            others = [pool.submit(good, quick) for _ in range(BATCH - 1)]
            assert awaited(lambda: waiting(quick) == BATCH - 1)
            gate.unlink()
            assert first.result().headers["x-batch"] == "1"
            assert {other.result().headers["x-batch"] for other in others} == {str(BATCH - 1)}
    finally:
        gate.unlink(missing_ok=True)


def test_a_handlers_metrics_are_counted_and_upstreams_line_per_batch_is_not(quick: TorchServer) -> None:
    good(quick)

    def metrics() -> str:
        with urllib.request.urlopen(quick.metrics_url, timeout=30) as answer:
            return str(answer.read(), "utf-8")

    assert awaited(lambda: "HandlerTime{" in metrics())
    assert "PredictionTime{" not in metrics()


def test_each_worker_keeps_to_a_cpu_of_its_own(archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marline.serve.torchserve.environ.fills_the_cpus", lambda workers: workers == 2)
    settings = tiny.SETTINGS.model_copy(update={"min_workers": 2, "max_workers": 2})
    allowed = psutil.Process().cpu_affinity()
    assert allowed is not None
    with serve([archives["fp32"]], settings, port=0) as server:
        server.wait_ready()
        masks = [psutil.Process(pid).cpu_affinity() for pid in server.describe()[0].ready]
        frontend = psutil.Process(server.pid).cpu_affinity()
    assert [len(mask or ()) for mask in masks] == [1, 1]
    assert len({cpu for mask in masks for cpu in mask or ()}) == min(2, len(allowed))
    assert frontend == allowed
