"""`marline agent fetch` as a container: killed and started again, its exit code and its last words."""

from __future__ import annotations

import hashlib
import random
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.source import Source, hold_after, serving
from agent.waiting import until

CONTENT = random.Random(4).randbytes(2_000_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source() -> Iterator[Source]:
    with serving(CONTENT) as source:
        yield source


def command(url: str, target: Path, log: Path) -> list[str]:
    marline = Path(sys.executable).with_name("marline")
    return [str(marline), "agent", "fetch", "--url", url, "--sha256", SHA, "--to", str(target), "--termination-log", str(log)]


def run(url: str, target: Path, log: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(url, target, log), capture_output=True, text=True, timeout=60, check=False)


def test_a_killed_container_goes_on_where_it_was(source: Source, tmp_path: Path) -> None:
    target, partial, release = tmp_path / "model.mar", tmp_path / f".{SHA}.partial", threading.Event()
    source.faults = [hold_after(1_000_000, release)]
    process = subprocess.Popen(command(source.url, target, tmp_path / "log"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: partial.exists() and partial.stat().st_size > 500_000, "half of the file is there")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    finally:
        process.kill()
        release.set()
    assert not target.exists()
    kept = partial.stat().st_size
    done = run(source.url, target, tmp_path / "log")
    assert done.returncode == 0
    assert f"({kept} of them kept from before)" in done.stdout
    assert source.offsets == [0, kept]
    assert target.read_bytes() == CONTENT


def test_a_failure_is_one_sentence_in_the_termination_log_and_on_standard_error(source: Source, tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    source.content = b"other"
    done = run(f"{source.url}?sig=secret", tmp_path / "model.mar", log)
    assert done.returncode == 1
    assert done.stderr == f"error: {log.read_text()}"
    assert log.read_text().startswith(f"{source.url}: has sha256 {hashlib.sha256(b'other').hexdigest()} (5 bytes), the release says {SHA};")
    assert "secret" not in done.stdout + done.stderr


def test_without_a_termination_log_none_is_made(source: Source, tmp_path: Path) -> None:
    source.content = b"other"
    assert run(source.url, tmp_path / "model.mar", tmp_path / "log").returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_success_writes_no_last_words(source: Source, tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    assert run(source.url, tmp_path / "model.mar", log).returncode == 0
    assert log.read_text() == ""


def test_a_volume_that_takes_no_more_is_named(source: Source, tmp_path: Path) -> None:
    target = tmp_path / "model.mar"
    done = subprocess.run(
        command(source.url, target, tmp_path / "log"), capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {target}: cannot be written (File too large); mount a writable folder with room for it at {tmp_path}\n"
    )
    assert not target.exists()


def test_a_folder_that_cannot_be_written_is_named(source: Source) -> None:
    target = Path("/proc/self/model.mar")  # refused to everyone, also to root
    done = run(source.url, target, Path("/proc/self/log"))
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: /proc/self/model.mar: cannot be written \([\w ]+\); mount a writable folder with room for it at /proc/self\n",
        done.stderr,
    )
    assert source.asked == []
