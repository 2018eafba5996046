"""What stands in place of upstream's worker: upstream's own, mended, on a CPU of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from handlerkit.serving import CACHE_METRICS
from marline.serve.torchserve import home
from marline.serve.torchserve.environ import require_torchserve
from marline.serve.torchserve.worker import main


class Connection:
    """Bytes that are there at once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.calls = 0

    def recv_into(self, buffer: memoryview) -> int:
        self.calls += 1
        size = len(self.data)
        buffer[:size], self.data = self.data, b""
        return size


class Cache:
    """As much of upstream's metrics as is mended."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def add_time(self, name: str, value: float, idx: int | None = None, unit: str = "ms") -> None:
        self.seen.append((name, value, idx, unit))


@pytest.fixture
def worker() -> Any:
    """``ts.model_service_worker`` with the mends, and the mended cache's class."""
    cache = type("Mended", (Cache,), {})
    module = SimpleNamespace()
    main.mend(module, cache, main.frames())
    return SimpleNamespace(module=module, cache=cache)


def test_what_one_message_leaves_over_is_the_next_one_of_the_same_connection(worker: Any) -> None:
    empty = b"I" + b"\xff\xff\xff\xff"
    one, other = Connection(empty * 3), Connection(empty)
    retrieve = worker.module.retrieve_msg
    assert [retrieve(c) for c in (one, other, one, one)] == [(b"I", [])] * 4
    assert (one.calls, other.calls) == (1, 1)


def test_upstreams_line_per_batch_is_not_written_and_a_handlers_are(worker: Any) -> None:
    cache = worker.cache()
    cache.add_time("PredictionTime", 3.5)
    cache.add_time("HandlerTime", 1.5)
    cache.add_time("Own", 2, idx=1, unit="s")
    assert cache.seen == [("HandlerTime", 1.5, None, "ms"), ("Own", 2, 1, "s")]


def test_the_name_that_is_left_out_is_the_one_upstream_writes() -> None:
    from ts import service
    from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl

    assert service.PREDICTION_METRIC == "PredictionTime"
    assert callable(MetricsCacheYamlImpl.add_time)


@pytest.mark.parametrize(
    ("port", "cpu"), [(9000, 3), (9001, 5), (9002, 8), (9003, 3)], ids=["first", "second", "third", "more than CPUs"]
)
def test_each_worker_has_a_cpu_of_those_that_are_allowed(monkeypatch: pytest.MonkeyPatch, port: int, cpu: int) -> None:
    pinned: list[tuple[int, set[int]]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {8, 3, 5})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: pinned.append((pid, cpus)))
    main.pin(["main.py", "--sock-type", "unix", "--sock-name", f"/tmp/x.y/.ts.sock.{port}", "--metrics-config", "m"])
    assert pinned == [(0, {cpu})]


def run(arguments: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
    """The worker as the frontend starts it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TS_", "MARLINE_"))}
    command = [sys.executable, str(home.WORKER), *arguments]
    return subprocess.run(command, env=kept | environ, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("given", [{}, {"TS_DECODE_INPUT_REQUEST": "true"}], ids=["not given", "true"])
def test_a_worker_that_would_decode_bodies_does_not_start(given: dict[str, str]) -> None:
    done = run(["--sock-type", "unix", "--sock-name", "/nonexistent/.ts.sock.9000"], **given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "marline's worker reads bodies as they were sent: decode_input_request=false is missing\n"


def test_a_worker_that_cannot_listen_says_why_where_upstream_says_it(tmp_path: Path) -> None:
    config = require_torchserve() / "ts" / "configs" / "metrics.yaml"
    name = tmp_path / "missing" / ".ts.sock.9000"
    done = run(
        ["--sock-type", "unix", "--sock-name", str(name), "--metrics-config", str(config)], TS_DECODE_INPUT_REQUEST="false"
    )
    assert done.returncode == 1
    assert "Backend worker process died." in done.stdout
    assert "FileNotFoundError" in done.stdout


def test_the_home_holds_what_is_read_of_one_and_our_worker(tmp_path: Path) -> None:
    installed = require_torchserve() / "ts"
    home.furnish(tmp_path / "home", installed)
    package = tmp_path / "home" / "ts"
    assert sorted(p.name for p in package.iterdir()) == ["configs", "model_service_worker.py", "version.txt"]
    metrics, theirs = (yaml.safe_load((p / "configs" / "metrics.yaml").read_text()) for p in (package, installed))
    counters = metrics["model_metrics"].pop("counter")
    assert [counter["name"] for counter in counters] == list(CACHE_METRICS)
    assert metrics == theirs
    assert (package / "version.txt").read_text().strip() == "0.12.0"
    assert (package / "model_service_worker.py").resolve() == Path(main.__file__).resolve()
    # upstream's worker is still upstream's
    assert (installed / "model_service_worker.py").resolve() != Path(main.__file__).resolve()


def test_a_home_is_furnished_once(tmp_path: Path) -> None:
    home.furnish(tmp_path / "home", require_torchserve() / "ts")
    with pytest.raises(FileExistsError):
        home.furnish(tmp_path / "home", require_torchserve() / "ts")
