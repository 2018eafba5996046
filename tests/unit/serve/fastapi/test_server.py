"""What a server refuses before it starts anything, and what its processes inherit."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from marline.cli import main
from marline.errors import ServeError
from marline.serve import read_archive
from marline.serve.fastapi import server
from marline.serve.fastapi.server import FastApiServer, environment, listen
from server import tiny_archives as tiny


def test_without_fastapi_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ServeError) as caught:
        FastApiServer([], tiny.SETTINGS)
    assert str(caught.value) == (
        "fastapi is not installed, which `--engine fastapi` needs; `pip install 'marline[engine-fastapi]'`, "
        "or serve with `--engine torchserve`"
    )


def test_an_archive_given_twice_or_none_is_refused(tmp_path: Path) -> None:
    one = read_archive(tiny.doubler(tmp_path / "doubler.mar"))
    with pytest.raises(ServeError, match=r"^doubler 1\.0\.0-onnx-fp32 is given twice; give each archive once$"):
        FastApiServer([one, one], tiny.SETTINGS)
    with pytest.raises(ServeError, match=r"^there is no archive to serve; build one with `marline build`$"):
        FastApiServer([], tiny.SETTINGS)


@pytest.mark.parametrize(
    ("cpus", "threads", "bounds", "processes"), [(4, 1, (1, 8), 4), (4, 2, (1, 8), 2), (4, 1, (1, 3), 3), (1, 2, (2, 3), 2)]
)
def test_there_are_as_many_processes_as_torchserve_would_have_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpus: int, threads: int, bounds: tuple[int, int], processes: int
) -> None:
    monkeypatch.setattr(server, "cpus", lambda: cpus)
    settings = tiny.SETTINGS.model_copy(update=dict(zip(("min_workers", "max_workers"), bounds, strict=True)))
    assert FastApiServer([read_archive(tiny.doubler(tmp_path / "d.mar"))], settings, threads=threads).processes == processes


def test_a_port_in_use_is_named_and_a_free_one_is_taken() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ServeError, match=f"^port {port} on 127.0.0.1 is in use by another process; .*--port$"):
            listen("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            first.accept()[0].close()


def test_an_address_that_is_not_here_is_named() -> None:
    with pytest.raises(ServeError, match=r"^cannot listen on 192\.0\.2\.1:0 \(Cannot assign requested address\); choose another"):
        listen("192.0.2.1", 0)


def test_processes_inherit_what_is_there_and_their_number_of_threads() -> None:
    made = environment({"PATH": "/bin", "OMP_NUM_THREADS": "64", "MARLINE_CACHE_ITEMS": "7"}, 3, 9)
    assert {k: made[k] for k in ("PATH", "MARLINE_CACHE_ITEMS")} == {"PATH": "/bin", "MARLINE_CACHE_ITEMS": "9"}
    assert {made[k] for k in ("MARLINE_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")} == {"3"}
    assert made["TOKENIZERS_PARALLELISM"] == "false"


def test_what_is_only_there_in_a_running_server_is_refused_before(tmp_path: Path) -> None:
    made = FastApiServer([read_archive(tiny.doubler(tmp_path / "d.mar"))], tiny.SETTINGS)
    with pytest.raises(ServeError, match=r"^the server is not running; use it in a `with` block$"):
        _ = made.root
    assert made.pids == []
    made.stop()


def test_an_engine_that_is_not_one_is_refused() -> None:
    result = CliRunner().invoke(main, ["serve", "sentiment", "--engine", "triton"])
    assert result.exit_code == 2
    assert "'triton' is not one of 'torchserve', 'fastapi'" in result.output
