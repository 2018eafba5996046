"""Where a request's CPU time goes in the server: by process and kind of thread, and inside a worker by step.

python tools/served_cost.py sentiment/1.0.0/onnx-int8-static [--store DIR]   measure, write served-cost.json into --figures

A closed loop of 16 connections keeps `marline serve` saturated; the kernel's counters of each thread are read before
and after.  The steps inside a worker are timed in this process, on the same archive and questions, a message of eight
requests at a time, with upstream's way of reading beside ours.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from marline.artifact.store import Store
from marline.bench import asking, questions, wrk
from marline.bench.raw import Batching, Raw
from marline.bench.usage import tree
from marline.build.machine import describe
from marline.errors import MarlineError
from marline.serve import TorchServer, read_archive
from marline.serve.torchserve.worker import frames
from marline.spec import load_model_spec

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"
CONNECTIONS, BATCH, REPEATS = 16, 8, 40
KINDS = (
    (r"C[12] Compiler", "JVM: compiling"), (r"GC|VM |G1|Sweeper", "JVM: memory"), (r"epollEventLoop", "JVM: HTTP and sockets"),
    (r"W-\d+|ForkJoin", "JVM: queue and workers"),
)  # fmt: skip
HEADERS = {"host": "127.0.0.1:8080", "content-length": "80", "content-type": "application/json", "url_path": "", "explain": "False"}


def main(arguments: list[str]) -> int:
    """Measure and store; returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure where a request's CPU time goes.")
    parser.add_argument("name", help="model/version/variant")
    parser.add_argument("--store", type=Path, default=Path("model_store"))
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--warm", type=float, default=40, help="of load first: the JVM compiles")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    options = parser.parse_args(arguments)
    try:
        model, version, variant = options.name.split("/")
        found = measure(Store(options.store), model, version, variant, options)
    except (MarlineError, ValueError) as error:
        print(f"served_cost: {error}", file=sys.stderr)
        return 1
    path = options.figures / "served-cost.json"
    path.write_text(json.dumps({"command": f"python tools/served_cost.py {options.name}", **found}, indent=1) + "\n")
    print(path)
    return 0


def measure(store: Store, model: str, version: str, variant: str, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of CPU per request, medians over the rounds."""
    spec = load_model_spec(model)
    rounds: dict[str, list[float]] = defaultdict(list)
    with store.unpacked(model, version, variant) as archive, tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        asked = asking.questions_of(spec, archive)
        questions.write(work / "q.json", asked)
        wrk.write_requests(work / "q.lua", asked, f"/predictions/{model}", '{"text": {text}}', '"label": *"{label}"')
        server = TorchServer([read_archive(store.archive(model, version, variant))], spec.serving, port=0)
        with Raw(archive, work / "q.json", sorted(os.sched_getaffinity(0))) as raw, server:
            server.wait_ready()
            wrk.closed(server.url, work / "q.lua", CONNECTIONS, options.warm)
            for _ in range(options.rounds):
                bare = raw.run(Batching(1, False), options.seconds)
                rounds["bare loop"].append(1000 * bare.cpu_seconds / bare.right)
                before = threads(server.pid)
                run = wrk.closed(server.url, work / "q.lua", CONNECTIONS, options.seconds)
                for kind, seconds in difference(before, threads(server.pid)).items():
                    rounds[kind].append(1000 * seconds / max(1, run.right))
        steps = worker_steps(archive, [q.text for q in asked[:BATCH]])
    return {
        "machine": {**describe(), "cpus": os.cpu_count()},
        "archive": {"model": model, "version": version, "variant": variant},
        "connections": CONNECTIONS,
        "ms_per_request": {kind: round(statistics.median(values), 4) for kind, values in sorted(rounds.items())},
        "worker_us_per_request": steps,
    }


def threads(pid: int) -> dict[tuple[str, int], float]:
    """CPU seconds by kind and thread."""
    found = {}
    for process in tree(pid):
        try:
            java, running = process.name().startswith("java"), process.threads()
        except psutil.NoSuchProcess:
            continue
        for thread in running:
            try:
                name = Path(f"/proc/{process.pid}/task/{thread.id}/comm").read_text().strip()
            except OSError:
                continue  # the thread ended
            kind = next((kind for pattern, kind in KINDS if re.search(pattern, name)), "JVM: other") if java else "workers"
            found[kind, thread.id] = thread.user_time + thread.system_time
    return found


def difference(before: dict[tuple[str, int], float], after: dict[tuple[str, int], float]) -> dict[str, float]:
    """Seconds by kind."""
    out: dict[str, float] = defaultdict(float)
    for (kind, thread), seconds in after.items():
        out[kind] += seconds - before.get((kind, thread), 0.0)
    return dict(out)


def worker_steps(archive: Path, texts: list[str]) -> dict[str, float]:
    """Microseconds per request of each step, for a message of as many requests as texts."""
    from ts.context import Context, RequestProcessor
    from ts.protocol import otf_message_handler as upstream
    from ts.service import Service

    handler = asking.load_handler(archive)
    message = encoded(texts)
    os.environ["TS_DECODE_INPUT_REQUEST"] = "false"
    one, other = socket.socketpair()
    reader = frames.Reader(other)

    def sent(read: Callable[[], Any]) -> Any:
        one.sendall(message)
        return read()

    rows = Service.retrieve_data_for_inference(sent(reader.message)[1])
    context = Context("m", str(archive), {}, BATCH, None, "0.12.0")
    context.request_processor, context.request_ids = [RequestProcessor({}) for _ in texts], rows[2]
    prepared = handler.prepare(texts)
    outputs = handler.compute(prepared)
    bodies = handler.handle(rows[1], context)
    return {
        "reading a message, upstream": timed(lambda: sent(lambda: upstream.retrieve_msg(other)), len(texts)),
        "reading a message, here": timed(lambda: sent(reader.message), len(texts)),
        "tokenizer": timed(lambda: handler.prepare(texts), len(texts)),
        "padding and model": timed(lambda: handler.compute(prepared), len(texts)),
        "scores": timed(lambda: [handler.present(p, o) for p, o in zip(prepared, outputs, strict=True)], len(texts)),
        "handler, everything": timed(lambda: handler.handle(rows[1], context), len(texts)),
        "writing the answers": timed(
            lambda: upstream.create_predict_response(bodies, rows[2], "", 200, context=context), len(texts)
        ),
    }


def encoded(texts: list[str]) -> bytes:
    """A message of the frontend."""

    def text(value: bytes) -> bytes:
        return struct.pack("!i", len(value)) + value

    end, out = struct.pack("!i", -1), b"I"
    for value in texts:
        headers = b"".join(text(k.encode()) + text(v.encode()) for k, v in HEADERS.items())
        body = text(b"body") + text(b"application/json") + text(json.dumps({"text": value}).encode())
        out += text(b"0d2f1c9a-5b1e-4bd7-8b5e-1d2c3b4a5f60") + headers + end + body + end
    return out + end


def timed(what: Callable[[], object], count: int) -> float:
    """Median microseconds of CPU per request."""
    taken = []
    for _ in range(REPEATS):
        began = time.process_time()
        what()
        taken.append(time.process_time() - began)
    return round(1e6 * statistics.median(taken) / count, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
