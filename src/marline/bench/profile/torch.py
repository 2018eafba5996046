"""torch.profiler, on the module that the backend loads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handlerkit.serving import Handler
from marline.bench.profile.phases import PHASES, REQUESTS, Spans, timed
from marline.bench.profile.table import Operator
from marline.errors import BenchError


def profile(
    load: Callable[[], Handler], ask: Callable[[Handler], None], scratch: Path
) -> tuple[list[Operator], Spans, list[dict[str, Any]]]:
    """Profile one pass over the questions, after one that warms up; see :func:`marline.bench.profile.onnx.profile`.

    Raises:
        BenchError: when torch profiled nothing.
    """
    # it logs to standard error that there is no GPU, and each of its own steps; read when torch is loaded
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    handler = load()
    from torch.profiler import ProfilerActivity, record_function
    from torch.profiler import profile as profiler

    ask(handler)
    with timed(handler, record_function) as spans, profiler(activities=[ProfilerActivity.CPU]) as profiled:
        ask(handler)
    target = scratch / "torch.json"
    profiled.export_chrome_trace(str(target))
    marks = {*PHASES, REQUESTS}
    found = [
        Operator(str(event.key), int(event.count), float(event.self_cpu_time_total) / 1000)
        for event in profiled.key_averages()
        if event.key not in marks
    ]
    if not found:
        raise BenchError("torch profiled no operator; use another version of torch")
    return found, spans, json.loads(target.read_text(encoding="utf-8"))["traceEvents"]
