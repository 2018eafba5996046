"""What makes a start fail, what comes back, and what is left when it is over."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from marline.errors import ServeError
from marline.serve import TorchServer, serve
from marline.serve.torchserve import group
from server import tiny_archives as tiny
from server.asking import ask


def awaited(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def failure(archive: Path, seconds: float = 60) -> str:
    """The one sentence with which a start fails; nothing of it may be left."""
    with pytest.raises(ServeError) as caught, serve([archive], tiny.SETTINGS, port=0) as server:
        root = server.run.root
        server.wait_ready(seconds)
    assert not root.exists()
    assert not _processes(root)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def _processes(root: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(root) in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_a_wrong_golden_answer_fails_the_start(tmp_path: Path) -> None:
    wrong = tiny.classifier(tmp_path / "wrong.mar", golden={"logits": [-1.0, 1.0]})
    sentence = failure(wrong)
    assert str(wrong) in sentence
    assert "golden request 0 answered wrongly: output 'logits' differs by 8, allowed 0.0001" in sentence


def test_an_import_error_in_the_handler_is_the_reason(archives: dict[str, Path], tmp_path: Path) -> None:
    """Not the second error, about ts.torch_handler, behind which TorchServe hides it."""
    broken = tiny.rewritten(
        archives["fp32"], tmp_path / "broken.mar", {"text_classification.py": lambda code: code + b"import not_there\n"}
    )
    sentence = failure(broken)
    assert sentence == (
        f"{broken}: sentiment 1.0.0-onnx-fp32 did not load: ModuleNotFoundError: No module named 'not_there'"
    )


def test_a_worker_killed_while_it_loads_is_said_so(archives: dict[str, Path], tmp_path: Path) -> None:
    dying = tiny.rewritten(
        archives["fp32"], tmp_path / "dying.mar",
        {"text_classification.py": lambda code: code + b"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"},
    )
    assert "its worker was killed while it loaded" in failure(dying)


def test_a_load_that_hangs_ends_with_the_limit(archives: dict[str, Path], tmp_path: Path) -> None:
    hanging = tiny.rewritten(
        archives["fp32"], tmp_path / "hanging.mar",
        {"text_classification.py": lambda code: code + b"import threading\nthreading.Event().wait()\n"},
    )
    assert "sentiment 1.0.0-onnx-fp32 has 0 of 1 workers ready after 3 s; raise serving.startup_timeout_s" in failure(hanging, 3)


def test_an_archive_that_torchserve_refuses_fails_the_start(archives: dict[str, Path], tmp_path: Path) -> None:
    refused = tiny.rewritten(
        archives["fp32"], tmp_path / "refused.mar",
        {"MAR-INF/MANIFEST.json": lambda text: text.replace(b'"python"', b'"cobol"')},
    )
    sentence = failure(refused)
    assert sentence.startswith(f"{refused}: TorchServe refuses it: ")
    assert "Runtime is not defined or invalid" in sentence


def test_a_port_in_use_is_named(archives: dict[str, Path]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServeError, match=f"^port {port} on 127.0.0.1 is in use by another process; .*--port$"),
            serve([archives["fp32"]], tiny.SETTINGS, port=port),
        ):
            pass


def test_a_frontend_that_ends_says_why(archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marline.serve.torchserve.server.require_free", lambda host, port: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(ServeError, match=r"ended: .*Failed to bind to address.*"),
            serve([archives["fp32"]], tiny.SETTINGS, port=taken.getsockname()[1]) as server,
        ):
            server.wait_ready()


def test_two_servers_at_once_and_nothing_left_of_either(archives: dict[str, Path], server: TorchServer) -> None:
    settings = tiny.SETTINGS.model_copy(update={"min_workers": 2, "max_workers": 2})
    with serve([archives["fp32"], archives["int8"]], settings, port=0) as second:
        second.wait_ready()
        for one in (server, second):
            assert ask(one.port, "/predictions/sentiment", '"good"', "application/json").status == 200
        assert ask(second.port, "/predictions/sentiment", '"good"', "application/json").json["variant"] == "onnx-fp32"
        ready = {d.version: len(d.ready) for d in second.describe()}
        assert ready == {"1.0.0-onnx-fp32": 2, "1.0.0-onnx-int8": 1}
        root, port = second.run.root, second.port
        workers = [pid for d in second.describe() for pid in d.pids]
        assert len(_processes(root)) == 1 + len(workers) == 4
        (frontend,) = [pid for pid in _processes(root) if psutil.Process(pid).name() == "java"]
        assert psutil.Process(frontend).cwd() == str(second.run.working)
        assert list(second.run.working.iterdir()) == []
    assert not any(psutil.pid_exists(pid) for pid in workers)
    assert not _processes(root)
    assert not root.exists()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_killed_worker_comes_back_and_a_killed_server_is_noticed(archives: dict[str, Path]) -> None:
    with serve([archives["fp32"]], tiny.SETTINGS, port=0) as server:
        server.wait_ready()
        (first,) = server.describe()[0].ready
        os.kill(first, signal.SIGKILL)
        assert awaited(lambda: server.describe()[0].ready not in ((), (first,)))
        assert ask(server.port, "/predictions/sentiment", '"good"', "application/json").status == 200
        (frontend,) = [pid for pid in _processes(server.run.root) if psutil.Process(pid).name() == "java"]
        os.kill(frontend, signal.SIGKILL)
        with pytest.raises(ServeError, match=f"^TorchServe on 127.0.0.1:{server.port} ended: "):
            server.wait()
        server.stop()
        assert group.members(frontend) == []
