"""A worker of TorchServe 0.12.0: upstream's own, with fewer system calls and no log line per request.

TorchServe's frontend starts this file in place of ``ts/model_service_worker.py``
(:mod:`marline.serve.torchserve.home`).  Loading, handlers and answers are upstream's code.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


def frames() -> ModuleType:
    """The module beside this file, under a name that no archive has."""
    spec = importlib.util.spec_from_file_location("marline_worker_frames", HERE / "frames.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mend(worker: Any, cache: Any, read: Any) -> None:
    """Replace what costs time with each request.

    Args:
        worker: ``ts.model_service_worker``.
        cache: ``ts.metrics.metric_cache_yaml_impl.MetricsCacheYamlImpl``.
        read: the module of :func:`frames`.
    """
    readers: dict[int, Any] = {}

    def retrieve_msg(connection: Any) -> Any:
        reader = readers.get(id(connection))
        if reader is None:
            reader = readers[id(connection)] = read.Reader(connection)
        return reader.message()

    upstream = cache.add_time

    def add_time(self: Any, name: str, *arguments: Any, **named: Any) -> None:
        # a line of text per batch for the frontend's thread to parse; the agent has better clocks
        if name != "PredictionTime":
            upstream(self, name, *arguments, **named)

    worker.retrieve_msg = retrieve_msg
    cache.add_time = add_time


def pin(arguments: list[str]) -> None:
    """Keep this worker on one CPU, its own as long as there are as many CPUs as workers.

    A worker computes with one thread; moved from CPU to CPU it would meet cold caches.

    Args:
        arguments: upstream's; the socket's name ends in the worker's port, which counts up from worker to worker.
    """
    cpus = sorted(os.sched_getaffinity(0))
    port = int(arguments[arguments.index("--sock-name") + 1].rsplit(".", 1)[1])
    os.sched_setaffinity(0, {cpus[port % len(cpus)]})


def main() -> None:
    """Run upstream's worker with its own arguments; does not return."""
    while str(HERE) in sys.path:
        sys.path.remove(str(HERE))
    if os.environ.get("TS_DECODE_INPUT_REQUEST") != "false":
        sys.exit("marline's worker reads bodies as they were sent: decode_input_request=false is missing")
    if os.environ.get("MARLINE_PIN") == "1":
        pin(sys.argv)
    import ts.model_service_worker as worker
    from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl

    mend(worker, MetricsCacheYamlImpl, frames())
    run(worker)


def run(worker: Any) -> None:
    """What upstream does when it is run as a program."""
    from ts.arg_parser import ArgParser

    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
    arguments = ArgParser.model_service_worker_args().parse_args()
    try:
        worker.TorchModelServiceWorker(
            arguments.sock_type, arguments.sock_name, arguments.host, arguments.port, arguments.metrics_config,
            arguments.async_comm,
        ).run_server()  # fmt: skip
    except TimeoutError:
        logging.error("Backend worker did not receive connection in: %d", worker.SOCKET_ACCEPT_TIMEOUT)
    except Exception:  # whatever it is, it is the reason that is read from the log
        logging.error("Backend worker process died.", exc_info=True)
    finally:
        if arguments.sock_type == "unix":
            Path(arguments.sock_name).unlink(missing_ok=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
