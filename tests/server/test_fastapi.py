"""The second engine on the same archives: its answers beside TorchServe's, its health, its end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from marline.errors import ServeError
from marline.serve import TorchServer, read_archive
from marline.serve.fastapi.server import FastApiServer
from server import tiny_archives as tiny
from server.asking import Reply, ask
from server.test_start_and_stop import awaited

PREDICT, JSON, FORM = "/predictions/sentiment", "application/json", "application/x-www-form-urlencoded"
MULTIPART = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--x--\r\n'

# a handler that says in a file that it was given a batch, and answers when another file appears
GATED = b"""
import os, time
_plain = TextClassification.handle


def _gated(self, data, context):
    if b"GATED" in bytes(data[0].get("body", b"")):
        open(os.environ["GIVEN"] + "/" + str(len(data)), "w").close()
        while not os.path.exists(os.environ["GIVEN"] + "/open"):
            time.sleep(0.01)
    return _plain(self, data, context)


TextClassification.handle = _gated
"""


def fastapi(archives: list[Path], **changes: Any) -> FastApiServer:
    return FastApiServer([read_archive(p) for p in archives], tiny.SETTINGS.model_copy(update=changes), port=0)


@pytest.fixture(scope="module")
def both(archives: dict[str, Path], server: TorchServer) -> Iterator[tuple[int, int]]:
    """Ports of TorchServe and of the second engine, on the same archives."""
    order = [archives[name] for name in ("int8", "fp32", "script", "doubler")]
    with fastapi(order, max_workers=2, min_workers=2) as second:
        second.wait_ready()
        yield server.port, second.port


def told(reply: Reply) -> tuple[int, Any, dict[str, str]]:
    """What a client sees of an answer, but for the time it took."""
    document = reply.json
    for part in document if isinstance(document, list) else document.get("predictions", [document]):
        part.pop("latency_ms", None)
    return reply.status, document, {k: v for k, v in reply.headers.items() if k in ("content-type", "x-marline-error")}


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        (PREDICT, '{"text": "a & b = c + 100 %"}', JSON),
        (PREDICT, '{"text": "a & b = c + 100 %"}', FORM),
        (PREDICT, '{"text": "ü"}', None),
        (PREDICT, "a & b = c + 100 %", "text/plain"),
        (PREDICT, "text=a+%26+b+%3D+c", FORM),
        (PREDICT, '["good", {"text": "bad"}]', JSON),
        (PREDICT, '{"instances": [{"text": "good"}]}', JSON),
        (PREDICT, MULTIPART.format("data", '{"text": "a & b"}'), "multipart/form-data; boundary=x"),
        (PREDICT, MULTIPART.format("text", "a & b = c + 100 %"), "multipart/form-data; boundary=x"),
        (f"{PREDICT}/1.0.0-onnx-fp32", '{"text": "good"}', JSON),
        (f"{PREDICT}/1.0.0-torchscript-fp32", '{"text": "good"}', JSON),
        ("/predictions/doubler", '{"inputs": {"x": [1, 2.5]}}', JSON),
        ("/predictions/doubler", '{"inputs": {"x": ["a"]}}', JSON),
        (PREDICT, '{"text": ', JSON),
        (PREDICT, b"\xff\xfe", JSON),
        (PREDICT, b"", JSON),
        (PREDICT, b"", FORM),
        (PREDICT, b"", None),
        (PREDICT, '{"text": ""}', JSON),
        (PREDICT, '{"text": 7}', JSON),
        (PREDICT, '["good", 7]', JSON),
        (PREDICT, "[]", JSON),
        (PREDICT, json.dumps(["good"] * 65), JSON),
        (PREDICT, json.dumps({"text": "a" * 501}), JSON),
    ],
)
def test_answers_and_refusals_are_those_of_torchserve(
    both: tuple[int, int], path: str, body: str | bytes, kind: str | None
) -> None:
    first, second = (told(ask(port, path, body, kind)) for port in both)
    assert second == first


def test_predict_asks_the_first_archive(both: tuple[int, int]) -> None:
    reply = ask(both[1], "/predict", '{"text": "good bad a"}', JSON)
    assert (reply.status, reply.json["variant"]) == (200, "onnx-int8")
    assert reply.json["scores"]["positive"] == pytest.approx(tiny.positive("good bad a"), abs=1e-5)
    assert {"label", "confidence", "latency_ms"} < set(reply.json)


def test_health_is_true_before_during_and_after_a_death(archives: dict[str, Path]) -> None:
    with fastapi([archives["fp32"], archives["doubler"]], max_workers=2, min_workers=2) as server:
        assert awaited(lambda: ask(server.port, "/health").status == 503)
        assert " processes are ready" in ask(server.port, "/health").json["error"]
        server.wait_ready()
        health = ask(server.port, "/health")
        assert (health.status, health.json["status"]) == (200, "ready")
        assert [m["version"] for m in health.json["models"]] == ["1.0.0-onnx-fp32", "1.0.0-onnx-fp32"]
        first, second = server.pids
        os.kill(first, signal.SIGKILL)
        # what it said holds no longer than it lived
        assert awaited(lambda: ask(server.port, "/health").status == 503, 5)
        assert ask(server.port, "/predict", "good").status == 200
        server.wait_ready()
        assert ask(server.port, "/health").status == 200
        assert first not in server.pids
        assert second in server.pids


def test_connections_are_shared_out_and_a_burst_is_answered(archives: dict[str, Path]) -> None:
    counted = b"""
import os
_plain = TextClassification.handle


def _told(self, data, context):
    bodies = _plain(self, data, context)
    for index in range(len(data)):
        context.set_response_header(index, "x-pid", str(os.getpid()))
    return bodies


TextClassification.handle = _told
"""
    marked = tiny.rewritten(
        archives["fp32"], archives["fp32"].with_name("pid.mar"), {"text_classification.py": lambda code: code + counted}
    )
    with fastapi([marked], max_workers=2, min_workers=2) as server, ThreadPoolExecutor(32) as pool:
        server.wait_ready()
        together = threading.Barrier(32)

        def one(number: int) -> Reply:
            together.wait()
            return ask(server.port, "/predict", tiny.WORDS[2 + number % 5])

        replies = [reply for _ in range(4) for reply in pool.map(one, range(32))]
        assert {r.status for r in replies} == {200}
        assert {int(r.headers["x-pid"]) for r in replies} == set(server.pids)
        for number, reply in enumerate(replies):
            word = tiny.WORDS[2 + number % 32 % 5]
            assert reply.json["scores"]["positive"] == pytest.approx(tiny.positive(word), abs=1e-5)


@pytest.fixture
def gated(archives: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive whose batches that begin with GATED wait until ``given/open`` exists."""
    (tmp_path / "given").mkdir()
    monkeypatch.setenv("GIVEN", str(tmp_path / "given"))
    return tiny.rewritten(archives["fp32"], tmp_path / "gated.mar", {"text_classification.py": lambda code: code + GATED})


def test_what_was_accepted_is_answered_before_the_end(gated: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    with fastapi([gated], batch_size=2) as server, ThreadPoolExecutor(4) as pool:
        server.wait_ready()
        root, port, pids = server.root, server.port, server.pids
        computed = pool.submit(ask, port, "/predict", '{"text": "GATED good"}')
        assert awaited((given / "1").exists)
        waiting = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(3)]
        for connection in waiting:
            connection.request("POST", "/predict", '{"text": "bad"}')
        # sent is not accepted: it is when the process has taken the connection and read it
        assert awaited(lambda: _unread(pids[0]) == 0)
        ending = pool.submit(server.stop)
        assert awaited(lambda: _refuses(port))
        (given / "open").touch()
        assert computed.result().status == 200
        assert [c.getresponse().status for c in waiting] == [200, 200, 200]
        ending.result()
        for connection in waiting:
            connection.close()
    assert not root.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def _unread(pid: int) -> int:
    """Connections of the listening socket that no process has taken, and bytes that it has not read."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    own = {c.laddr.port for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    return sum(int(r[4].split(":")[1], 16) for r in rows if int(r[1].split(":")[1], 16) in own)


def _refuses(port: int) -> bool:
    try:
        ask(port, "/health")
    except OSError:
        return True
    return False


def test_one_too_many_gets_503_with_a_time_to_come_back(gated: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    with fastapi([gated], queue_size=2) as server, ThreadPoolExecutor(4) as pool:
        server.wait_ready()
        held = [pool.submit(ask, server.port, "/predict", '{"text": "GATED good"}')]
        assert awaited((given / "1").exists)
        held += [pool.submit(ask, server.port, "/predict", '{"text": "bad"}') for _ in range(2)]

        def refused() -> bool:
            # until both wait, this one would itself: it is taken back then
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.5)
            try:
                connection.request("POST", "/predict", '{"text": "a"}')
                reply = connection.getresponse()
                found.append(Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()))
            except TimeoutError:
                return False
            finally:
                connection.close()
            return True

        found: list[Reply] = []
        assert awaited(refused)
        (given / "open").touch()
        assert [future.result().status for future in held].count(200) >= 2
    (reply,) = found
    assert (reply.status, reply.headers["x-marline-error"]) == (503, "queue")
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.json["error"].startswith("The queue of 2 requests is full; ask again in ")


def failure(archive: Path, seconds: float = 60) -> str:
    """The one sentence with which a start fails; nothing of it may be left."""
    with pytest.raises(ServeError) as caught, fastapi([archive]) as server:
        root, pids = server.root, server.pids
        server.wait_ready(seconds)
    assert not root.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_wrong_golden_answer_fails_the_start(tmp_path: Path) -> None:
    wrong = tiny.classifier(tmp_path / "wrong.mar", golden={"logits": [-1.0, 1.0]})
    assert failure(wrong) == (
        f"{wrong}: sentiment 1.0.0-onnx-fp32 did not load: sentiment 1.0.0-onnx-fp32: golden request 0 answered wrongly: "
        "output 'logits' differs by 8, allowed 0.0001; this archive must not serve on this machine, rebuild it or choose "
        "another variant"
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"import not_there\n", "did not load: ModuleNotFoundError: No module named 'not_there'"),
        (b"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "did not load: its process ended while it loaded: "),
    ],
)
def test_a_process_that_cannot_load_says_why(archives: dict[str, Path], tmp_path: Path, code: bytes, reason: str) -> None:
    broken = tiny.rewritten(archives["fp32"], tmp_path / "b.mar", {"text_classification.py": lambda plain: plain + code})
    assert failure(broken).startswith(f"{broken}: sentiment 1.0.0-onnx-fp32 {reason}")


def test_a_load_that_hangs_ends_with_the_limit(archives: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marline.serve.fastapi.server.STOP_SECONDS", -29.0)
    hanging = tiny.rewritten(
        archives["fp32"], tmp_path / "hanging.mar",
        {"text_classification.py": lambda code: code + b"import threading\nthreading.Event().wait()\n"},
    )
    assert failure(hanging, 3).endswith(": 0 of 1 processes are ready after 3 s; raise serving.startup_timeout_s if it needs longer to load")


SERVING = """
import sys
from pathlib import Path
from marline.serve import read_archive
from marline.serve.fastapi.server import FastApiServer
from marline.spec.model import Serving
with FastApiServer([read_archive(Path(sys.argv[1]))], Serving(max_workers=2, min_workers=2), port=0) as server:
    server.wait_ready()
    print(*server.pids, flush=True)
    server.wait()
"""


def test_processes_do_not_outlive_a_server_that_is_killed(
    archives: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", SERVING, archives["fp32"]], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        pids = [int(pid) for pid in server.stdout.readline().split()]
        assert len(pids) == 2
        server.kill()
    assert awaited(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_an_onnx_archive_is_served_without_torch(archives: dict[str, Path]) -> None:
    with fastapi([archives["fp32"]]) as server:
        server.wait_ready()
        assert ask(server.port, "/predict", "good").status == 200
        (pid,) = server.pids
        maps = [m.path for m in psutil.Process(pid).memory_maps()]
    assert any("onnxruntime" in path for path in maps)
    assert not any("libtorch" in path for path in maps)
