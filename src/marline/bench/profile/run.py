"""One archive profiled: plain for the phases, then under its engine's profiler for the operators."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from handlerkit.errors import LoadError
from handlerkit.machine import cpu_class
from handlerkit.serving import Handler
from marline.artifact import atomic
from marline.bench.profile import onnx, phases, table, torch
from marline.bench.profile.table import Row
from marline.errors import BenchError
from marline.serve import Served
from marline.serve.fastapi.archives import load_handler, unpack

TOP = 15
TRACE, PROFILE = "trace.json", "profile.json"


@dataclass(frozen=True)
class Profile:
    """Where the time of one variant went.

    Attributes:
        model: its name.
        version: as it is served, the variant included.
        format: of the artifact, which decides the profiler.
        cpu: instruction-set class of this machine.
        requests: how many were asked in each pass.
        batch: most requests computed together.
        ms: of all requests in the plain pass, in milliseconds.
        profiled_ms: the same under the profiler.
        phases: of the plain pass; shares of ``ms``.
        operators: shares of the model's phase under the profiler.
    """

    model: str
    version: str
    format: str
    cpu: str
    requests: int
    batch: int
    ms: float
    profiled_ms: float
    phases: list[Row]
    operators: list[Row]


def profile(served: Served, bodies: Sequence[bytes], batch: int, out: Path) -> Profile:
    """Profile an archive with one compute thread per MARLINE_THREADS, and write ``trace.json`` and ``profile.json``.

    Args:
        served: a checked archive.
        bodies: what is asked, in order.
        batch: most requests handed to the handler at once.
        out: directory of the two files; made if it is missing.

    Raises:
        BenchError: when the archive does not load here, refuses a question, or its engine profiles nothing.
    """
    with tempfile.TemporaryDirectory(prefix="marline-") as work:
        archive, scratch = Path(work) / "archive", Path(work) / "scratch"
        scratch.mkdir()
        unpack(served, archive)

        def load() -> Handler:
            try:
                return load_handler(archive)
            except LoadError as error:
                raise BenchError(str(error)) from error

        def ask(handler: Handler) -> None:
            for body, found in zip(bodies, phases.ask(handler, bodies, batch), strict=True):
                if found.status != 200:
                    refused = json.loads(found.body)["error"]
                    raise BenchError(f"{served.path}: refuses {body[:60].decode('utf-8', 'replace')!r}: {refused}")

        handler = load()
        ask(handler)
        with phases.timed(handler) as plain:
            ask(handler)
        del handler
        engine = onnx if served.manifest.format == "onnx" else torch
        found, spans, events = engine.profile(load, ask, scratch)
    made = Profile(
        served.manifest.model, served.manifest.served_version, served.manifest.format, cpu_class(), len(bodies), batch,
        round(plain.whole_ms, 3), round(spans.whole_ms, 3), table.phases(plain.split(), plain.whole_ms),
        table.operators(found, spans.seconds(phases.MODEL) * 1000, TOP),
    )  # fmt: skip
    _write(made, events, out)
    return made


def _write(made: Profile, events: list[dict[str, Any]], out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        atomic.write_text(out / TRACE, json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}) + "\n")
        atomic.write_json(out / PROFILE, asdict(made))
    except OSError as error:
        raise BenchError(f"{out}: cannot be written ({error.strerror or error}); choose another --out") from error
