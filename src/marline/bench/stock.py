"""TorchServe as its documentation starts it: eager fp32, default configuration, nothing of marline around it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from handlerkit import manifest as manifests
from marline.bench.contenders import Contender, Up
from marline.bench.questions import Question
from marline.errors import BenchError
from marline.serve.torchserve import group
from marline.serve.torchserve.java import find_java
from marline.serve.torchserve.ports import LOCAL, free_ports

READY_S = 180.0
STOP_S = 15.0


def stock(handler: Path, eager: Path, asked: Sequence[Question]) -> Contender:
    """A stock TorchServe.

    Args:
        handler: the handler file of the stock archive.
        eager: directory of the unpacked eager fp32 archive, whose weights it serves.
        asked: questions with the labels that these weights give.
    """
    manifest = manifests.read(eager)

    @contextmanager
    def start() -> Iterator[Up]:
        with (
            tempfile.TemporaryDirectory(prefix="marline-stock-") as directory,
            _running(Path(directory), handler, eager, manifest.model) as up,
        ):
            yield up

    return Contender(
        "stock", "stock TorchServe, eager fp32", start, f"/predictions/{manifest.model}",
        asked=asked,
        versions={name: importlib.metadata.version(name) for name in ("torchserve", "torch")},
        notes=("default configuration: one worker per CPU, one request per message, all threads in each worker",),
    )  # fmt: skip


@contextmanager
def _running(root: Path, handler: Path, eager: Path, model: str) -> Iterator[Up]:
    port, *others = free_ports(5)
    _pack(root, handler, eager, model)
    keys = ("management_address", "metrics_address")
    lines = [f"inference_address=http://{LOCAL}:{port}", *(f"{k}=http://{LOCAL}:{p}" for k, p in zip(keys, others, strict=False))]
    lines += [f"grpc_inference_port={others[2]}", f"grpc_management_port={others[3]}"]
    (root / "config.properties").write_text("\n".join(lines) + "\n")
    program = Path(sys.executable).with_name("torchserve")
    command = [
        str(program), "--start", "--foreground", "--ncs", "--disable-token-auth", "--model-store", str(root / "store"),
        "--models", f"{model}={model}.mar", "--ts-config", str(root / "config.properties"),
    ]  # fmt: skip
    environ = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environ |= {
        "JAVA_HOME": str(find_java().parents[1]), "TEMP": str(root), "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(manifests.__file__).parents[1]),
    }  # fmt: skip
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=root, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(f"http://{LOCAL}:{port}/predictions/{model}", process, root / "log")
        yield Up(f"http://{LOCAL}:{port}", (process.pid,))
    finally:
        group.end(process, STOP_S)  # waits for the whole group: a JVM that still writes would be in the way of clean-up


def _pack(root: Path, handler: Path, eager: Path, model: str) -> None:
    """An archive by torch-model-archiver: the handler, and the files of the eager archive beside it."""
    (root / "store").mkdir()
    stage = root / "stage"
    shutil.copytree(eager, stage, ignore=shutil.ignore_patterns("MAR-INF", "*.py", "handlerkit"))
    command = [
        str(Path(sys.executable).with_name("torch-model-archiver")), "--model-name", model, "--version", "1.0",
        "--handler", str(handler), "--extra-files", str(stage), "--export-path", str(root / "store"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(root)})
    if done.returncode:
        raise BenchError(f"torch-model-archiver failed: {done.stderr.strip()[-300:]}")


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers: its /ping says healthy long before."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and not group.exited(process):
        try:
            body = urllib.request.Request(url, b'{"text": "Wonderful."}', {"content-type": "application/json"})
            with urllib.request.urlopen(body, timeout=10):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    words = log.read_text(errors="replace").strip().splitlines()
    raise BenchError(f"stock TorchServe does not answer: {words[-1] if words else 'it said nothing'}")
