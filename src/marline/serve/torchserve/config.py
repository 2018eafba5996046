"""``config.properties``, derived: from the archives and the spec's ``serving``, and from nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from marline.serve.torchserve.archives import Served
from marline.spec.model import Serving


@dataclass(frozen=True)
class Listen:
    """Where the server listens: inference for clients, everything else for this machine only."""

    host: str
    port: int
    metrics_port: int
    grpc_inference_port: int
    grpc_management_port: int


@dataclass(frozen=True)
class RunDirectory:
    """The files of one running server, all below one private directory."""

    root: Path

    @property
    def config(self) -> Path:
        """``config.properties``."""
        return self.root / "config.properties"

    @property
    def store(self) -> Path:
        """The model store: links to the archives served."""
        return self.root / "store"

    @property
    def temporary(self) -> Path:
        """Where TorchServe unpacks archives and keeps its workers' sockets."""
        return self.root / "tmp"

    @property
    def logs(self) -> Path:
        """Logs of the workers, the frontend, and what the frontend prints."""
        return self.root / "logs"

    @property
    def working(self) -> Path:
        """The frontend's working directory, empty: no file in it can shadow one missing in an archive."""
        return self.root / "cwd"

    @property
    def classes(self) -> Path:
        """Classes that come before TorchServe's own (see :mod:`marline.serve.torchserve.overlay`)."""
        return self.root / "classes"

    @property
    def home(self) -> Path:
        """What TorchServe takes for the directory it is installed in: its own files, and our worker."""
        return self.root / "home"

    @property
    def management(self) -> Path:
        """The management API's unix socket."""
        return self.root / "m.sock"


def file_names(count: int) -> list[str]:
    """File names of archives in the model store; no character of them means anything to TorchServe."""
    return [f"archive{i}.mar" for i in range(count)]


def worker_counts(served: Sequence[Served], settings: Serving, cpus: int) -> list[int]:
    """Workers per archive: the default one gets the CPUs, within the spec's bounds; each other one gets one.

    TorchServe never scales between its own minimum and maximum, so both are set to this number.
    """
    default = max(settings.min_workers, min(settings.max_workers, cpus))
    return [default if i == 0 else 1 for i in range(len(served))]


def derive(served: Sequence[Served], settings: Serving, cpus: int, listen: Listen, run: RunDirectory) -> str:
    """The text of ``config.properties``.

    Args:
        served: archives, the default one first: TorchServe makes the first version that it registers
            the one that ``/predictions/<model>`` asks.
        settings: the spec's ``serving``.
        cpus: CPUs that workers of the default archive may use, in workers.
        listen: addresses.
        run: paths.
    """
    models: dict[str, dict[str, dict[str, object]]] = {}
    for one, name, count in zip(served, file_names(len(served)), worker_counts(served, settings, cpus), strict=True):
        models.setdefault(one.manifest.model, {})[one.manifest.served_version] = {
            "defaultVersion": one is served[0],
            "marName": name,
            "minWorkers": count,
            "maxWorkers": count,
            "batchSize": settings.batch_size,
            # 0 is done by another frontend class (no_wait.py), in which this number is never waited for
            "maxBatchDelay": settings.max_batch_delay_ms or 100,
            "responseTimeout": settings.response_timeout_s,
            "startupTimeout": settings.startup_timeout_s,
        }
    values = {
        "inference_address": f"http://{listen.host}:{listen.port}",
        "management_address": f"unix:{run.management}",
        "metrics_address": f"http://127.0.0.1:{listen.metrics_port}",
        # gRPC cannot be switched off, and its usual ports collide between two servers
        "grpc_inference_address": "127.0.0.1",
        "grpc_inference_port": str(listen.grpc_inference_port),
        "grpc_management_address": "127.0.0.1",
        "grpc_management_port": str(listen.grpc_management_port),
        "model_store": str(run.store),
        "load_models": ",".join(file_names(len(served))),
        "models": json.dumps(models, separators=(",", ":")),
        "default_workers_per_model": "1",
        "default_response_timeout": str(settings.response_timeout_s),
        "default_startup_timeout": str(settings.startup_timeout_s),
        "job_queue_size": str(settings.queue_size),
        "number_of_gpu": "0",
        # by default as many as CPUs, and twice as many more for the workers' sockets: on a CPU that computes
        # each of them costs a change of context, and two carry thousands of requests per second
        "number_of_netty_threads": "2",
        "netty_client_threads": "2",
        "metrics_mode": "prometheus",
        "disable_system_metrics": "true",
        # bodies reach the handler as they came, so that what is not JSON gets its 400 and no traceback
        "decode_input_request": "false",
        "install_py_dep_per_model": "false",
        "enable_envvars_config": "false",
        "enable_model_api": "false",
        # keys are made anew by each process and cannot be supplied, so no client could talk to two
        # replicas; what the keys would guard listens on a unix socket in a private directory
        "disable_token_authorization": "true",
        "allowed_urls": f"file://{re.escape(str(run.store))}/.*",
    }
    return "".join(f"{key}={_escape(value)}\n" for key, value in values.items())


def _escape(value: str) -> str:
    """A value as java.util.Properties reads it back."""
    encoded = value.replace("\\", "\\\\").encode("utf-16-be")
    units = (int.from_bytes(encoded[i : i + 2], "big") for i in range(0, len(encoded), 2))
    return "".join(chr(u) if 0x20 <= u < 0x7F else f"\\u{u:04x}" for u in units)
