"""What the server and its workers inherit: nothing that would change what they compute or import."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from marline.errors import ServeError
from marline.serve.torchserve.cpus import fills_the_cpus

TORCHSERVE = "0.12.0"
STUB = Path(__file__).parent / "stub"

# LOCAL_RANK other than 0 makes a worker send no answers at all; TS_CONFIG_FILE wins over -f.
DROPPED = (
    "PYTHONPATH",
    "PYTHONHOME",
    "LOCAL_RANK",
    "RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "LOG_LOCATION",
    "METRICS_LOCATION",
    "SM_TELEMETRY_LOG",
    "TEMP",
)
THREADS = ("MARLINE_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment(inherited: Mapping[str, str], threads: int, workers: int, cache_items: int = 0) -> dict[str, str]:
    """The environment of the frontend, which hands it on to its workers.

    Args:
        inherited: this process's environment.
        threads: compute threads of one worker.
        workers: of the default archive.
        cache_items: answers that a worker keeps.

    Raises:
        ServeError: unless exactly the TorchServe is installed whose protocol the stand-in torch is for.
    """
    require_torchserve()
    kept = {k: v for k, v in inherited.items() if k not in DROPPED and not k.startswith("TS_")}
    return {
        **kept,
        **dict.fromkeys(THREADS, str(threads)),
        # nothing that a server computes with is reported anywhere (on by default in the official builds)
        "ORT_DISABLE_TELEMETRY": "1",
        # a pool of its own in the tokenizer would use the CPUs of the other workers
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(STUB),
        # a worker that dies of a signal says where
        "PYTHONFAULTHANDLER": "1",
        "MARLINE_CACHE_ITEMS": str(cache_items),
        "MARLINE_PIN": "1" if threads == 1 and fills_the_cpus(workers) else "0",
    }


def require_torchserve() -> Path:
    """The directory that holds the ``ts`` package, without importing it.

    Raises:
        ServeError: when TorchServe is missing or is another version than 0.12.0.
    """
    try:
        distribution = importlib.metadata.distribution("torchserve")
    except importlib.metadata.PackageNotFoundError as error:
        raise ServeError("torchserve is not installed; `pip install 'marline[serve]'`") from error
    if distribution.version != TORCHSERVE:
        raise ServeError(
            f"torchserve {distribution.version} is installed (allowed: {TORCHSERVE}); "
            f"`pip install torchserve=={TORCHSERVE}`"
        )
    return Path(str(distribution.locate_file("")))
