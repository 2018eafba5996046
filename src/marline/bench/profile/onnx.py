"""ONNX Runtime's own profiler, on the session that the backend makes, with its options."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handlerkit.serving import Handler
from marline.bench.profile.phases import MODEL, PHASES, REQUESTS, Spans, timed
from marline.bench.profile.table import Operator
from marline.errors import BenchError

RUN = "model_run"


@contextmanager
def profiling(directory: Path) -> Iterator[None]:
    """Sessions that are made inside the block profile themselves into ``directory``; their options are as ever."""
    import onnxruntime as ort

    plain = ort.SessionOptions

    class Profiling(ort.SessionOptions):  # type: ignore[misc]
        """The options, with the profiler on."""

        def __init__(self) -> None:
            super().__init__()
            self.enable_profiling = True
            self.profile_file_prefix = str(directory / "ort")

    ort.SessionOptions = Profiling
    try:
        yield
    finally:
        ort.SessionOptions = plain


def profile(
    load: Callable[[], Handler], ask: Callable[[Handler], None], scratch: Path
) -> tuple[list[Operator], Spans, list[dict[str, Any]]]:
    """Profile one pass over the questions, after one that warms up.

    Args:
        load: loads the handler.
        ask: asks every question.
        scratch: an empty directory, for the runtime's own file.

    Returns:
        Operators by kind, the phases, and the trace's events in Chrome's format.

    Raises:
        BenchError: when the runtime profiled nothing.
    """
    with profiling(scratch):
        handler = load()
    ask(handler)
    with timed(handler) as spans:
        ask(handler)
    handler.backend._session.end_profiling()  # type: ignore[attr-defined]
    files = sorted(scratch.glob("ort*.json"))
    if len(files) != 1:
        raise BenchError(f"onnxruntime wrote {len(files)} profiles instead of one into {scratch}; run it again")
    return _read(json.loads(files[0].read_text(encoding="utf-8")), spans)


def _read(events: list[dict[str, Any]], spans: Spans) -> tuple[list[Operator], Spans, list[dict[str, Any]]]:
    """The events of the last pass: as many runs, counted from the end, as it had spans of the model."""
    runs = sorted((e for e in events if e.get("name") == RUN), key=lambda e: e["ts"])
    own = runs[len(runs) - spans.count(MODEL) :]
    if not own or len(own) != spans.count(MODEL):
        raise BenchError(
            f"onnxruntime profiled {len(runs)} runs, of which {spans.count(MODEL)} are looked for; profile fewer texts"
        )
    began = own[0]["ts"]
    kept = [e for e in events if e.get("ts", -1) >= began]
    costs: dict[str, list[float]] = defaultdict(list)
    for event in kept:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            costs[event["args"]["op_name"]].append(event["dur"] / 1000)
    if not costs:
        raise BenchError("onnxruntime profiled no operator; its profile has another form, use onnxruntime 1.31")
    found = [Operator(name, len(times), sum(times)) for name, times in costs.items()]
    return found, spans, [*kept, *_timeline(spans, own)]


def _timeline(spans: Spans, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The phases on a line of their own; the two clocks meet where the model first ran."""
    first = next(start for phase, start, _ in spans.spans if phase == MODEL)
    process, offset = runs[0]["pid"], runs[0]["ts"] - first * 1e6
    line = [{"ph": "M", "pid": process, "tid": 0, "name": "thread_name", "args": {"name": "handler"}}]
    for phase, start, end in spans.spans:
        if phase in (*PHASES, REQUESTS):
            event = {"ph": "X", "cat": "phase", "pid": process, "tid": 0, "name": phase, "args": {}}
            line.append({**event, "ts": round(start * 1e6 + offset, 1), "dur": round((end - start) * 1e6, 1)})
    return line
