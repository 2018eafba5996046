"""A replay at each POST: what a webhook's caller is answered."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from marline.cli import main
from marline.errors import ServeError
from marline.rollout.replay.webhook import MAX_ANSWER_BYTES, MAX_BODY_BYTES, Webhook
from unit.rollout.replay_endpoints import classified, endpoint

BODY = {"name": "sentiment", "namespace": "models", "phase": "Progressing", "checksum": "1"}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def webhook(replay: Callable[[], tuple[bool, list[str]]], said: list[str] | None = None) -> Iterator[str]:
    """A running one; its URL."""
    with Webhook(0, replay, (said if said is not None else []).append) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def post(url: str, body: Any = BODY) -> tuple[int, str]:
    """Status and text; bytes are sent as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answered(urllib.request.Request(url, data))


def answered(request: str | urllib.request.Request) -> tuple[int, str]:
    try:
        with _OPENER.open(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def broken() -> tuple[bool, list[str]]:
    raise ServeError("http://b:8080/predictions/sentiment: gave no answer")


def test_agreement_is_200() -> None:
    with webhook(lambda: (True, ["3 requests", "agree"])) as url:
        assert post(url) == (200, "agree\n3 requests")


def test_the_verdict_comes_before_the_items_and_everything_is_logged() -> None:
    said: list[str] = []
    with webhook(lambda: (False, ["differs 1", "2 requests", "disagree: agreement 0.5"]), said) as url:
        assert post(url) == (409, "disagree: agreement 0.5\ndiffers 1\n2 requests")
    assert said == ["replay for models/sentiment", "differs 1", "2 requests", "disagree: agreement 0.5"]


def test_a_long_answer_is_cut_within_an_event() -> None:
    with webhook(lambda: (False, ["é" * 5000, "disagree"])) as url:
        status, text = post(url)
    assert status == 409
    assert text.startswith("disagree\né") and text.endswith("é…")
    assert len(text.encode()) <= MAX_ANSWER_BYTES + len("…".encode())


def test_what_could_not_be_compared_is_no_agreement_and_no_server_error() -> None:
    with webhook(broken) as url:
        assert post(url) == (424, "error: http://b:8080/predictions/sentiment: gave no answer")
        assert post(url)[0] == 424


def test_one_replay_at_a_time() -> None:
    began, go = threading.Event(), threading.Event()

    def slow() -> tuple[bool, list[str]]:
        began.set()
        assert go.wait(30)
        return True, ["agree"]

    first: list[tuple[int, str]] = []
    with webhook(slow) as url:
        asking = threading.Thread(target=lambda: first.append(post(url)))
        asking.start()
        assert began.wait(30)
        assert post(url) == (423, "another replay is under way; ask again when it is over")
        assert answered(f"{url}/live")[0] == 200
        go.set()
        asking.join()
        assert post(url)[0] == 200
    assert first == [(200, "agree")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 30_000,
        {"name": "x"},
        {**BODY, "namespace": 1},
        {**BODY, "metadata": "x" * MAX_BODY_BYTES},
    ],
)
def test_a_body_that_is_not_flaggers_starts_nothing(body: Any) -> None:
    with webhook(lambda: pytest.fail("a replay")) as url:
        status, text = post(url, body)
    assert status == 400
    assert "send" in text and "Flagger sends" in text


def test_a_name_cannot_forge_a_line_of_the_log() -> None:
    said: list[str] = []
    with webhook(lambda: (True, ["agree"]), said) as url:
        post(url, {**BODY, "name": "a\nagree"})
    assert said[0] == "replay for models/a\\nagree"


@pytest.mark.parametrize(("path", "status"), [("/live", 200), ("/ready", 200), ("/", 404)])
def test_probes_start_nothing(path: str, status: int) -> None:
    with webhook(lambda: pytest.fail("a replay")) as url:
        assert answered(url + path)[0] == status


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("", 0)) as taken, pytest.raises(ServeError, match="name a free one"):
        Webhook(taken.getsockname()[1], broken, print)


@pytest.mark.parametrize("option", ["--record", "--metrics", "--report"])
def test_the_verb_writes_no_file_while_it_serves(option: str, tmp_path: Path) -> None:
    urls = ["http://a:1"] if option == "--record" else ["http://a:1", "http://b:1"]
    done = CliRunner().invoke(
        main, ["replay", *urls, "--golden", "a@1.0.0/b", "--serve", "1", option, str(tmp_path / "x")]
    )
    assert done.exit_code == 2
    assert "--serve answers with the outcome" in done.output


def test_the_verb_replays_between_the_two_at_each_post(tmp_path: Path) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_text('{"id": "1", "request": {"text": "a secret"}}\n')
    now = {"score": 0.9}
    with (
        endpoint(lambda _: (200, classified(0.9))) as a,
        endpoint(lambda _: (200, classified(now["score"], model_version="1.1.0"))) as b,
        socket.create_server(("", 0)) as free,
    ):
        port = free.getsockname()[1]
        free.close()
        options = ["--requests", str(requests), "--model", "sentiment", "--hide-requests", "--serve", str(port)]
        command = [str(Path(sys.executable).with_name("marline")), "replay", a.url, b.url, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                assert re.fullmatch(rf"replays at each POST to port {port}\n", process.stderr.readline())
                assert post(f"http://127.0.0.1:{port}")[0] == 200
                now["score"] = 0.1
                status, text = post(f"http://127.0.0.1:{port}")
            finally:
                process.terminate()
                out, _ = process.communicate(timeout=30)
    assert status == 409
    assert text.splitlines()[0] == "disagree: agreement 0.000000, allowed at least 1"
    assert "differs 1: negative 0.9000 instead of positive 0.9000" in text
    assert "a secret" not in text + out and out.count("replay for models/sentiment") == 2
