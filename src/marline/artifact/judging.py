"""A staged build before the gate: every variant's answers, verdict, golden requests and speed."""

from __future__ import annotations

import importlib.util
import os
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from handlerkit.errors import LoadError
from handlerkit.serving import Handler
from marline.artifact.handlers import handler_for
from marline.artifact.staged import Staged
from marline.build import report
from marline.build.gate import speed
from marline.build.gate.exam import Exam
from marline.build.gate.quality import Answers, examine
from marline.build.gate.verdict import accuracy_on_test, judge_quality, judge_speed
from marline.errors import BuildError
from marline.spec.model import ModelSpec

AT_ONCE = 2
Entry = dict[str, Any]


def answers_of(
    judged: Mapping[str, Path], exam: Exam, scratch: Path, say: Callable[[str], None]
) -> dict[str, Answers | BuildError]:
    """Each variant's answers, from processes of one thread each, as many at once as there are cores, at most two."""
    questions = scratch / "exam.pkl"
    with questions.open("wb") as file:
        pickle.dump(exam, file)

    def one(name: str) -> Answers | BuildError:
        try:
            found = examine(judged[name], questions, scratch / f"answers-{name}.npz")
        except BuildError as error:
            return error
        say(f"{name}: {len(exam.gate) + len(exam.test)} questions answered alone, {len(exam.gate)} in company")
        return found

    with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool:
        return dict(zip(judged, pool.map(one, judged), strict=True))


def judge(
    spec: ModelSpec, staged: Mapping[str, Staged], answers: Mapping[str, Answers | BuildError], exam: Exam
) -> dict[str, Entry]:
    """The report's entry of each variant, quality only.

    Raises:
        BuildError: when the reference itself could not answer.
    """
    reference = answers[spec.reference]
    if isinstance(reference, BuildError):
        raise reference
    entries = {}
    for name, found in answers.items():
        gates, required = spec.gates(name), spec.variants[name].required
        if isinstance(found, Answers) and found.gate.shape != reference.gate.shape:
            width, wanted = found.gate.shape[1], reference.gate.shape[1]
            found = BuildError(
                f"{name}: gives {width} numbers where {spec.reference} gives {wanted}; correct `outputs` in the spec"
            )
        if isinstance(found, BuildError):
            entries[name] = report.variant_entry(required, gates, None, str(found))
            continue
        grouped = spec.task != "tensor" and int(spec.inference(name)["max_group"]) > 1
        quality = judge_quality(found, reference, exam, spec.task, gates, grouped)
        entries[name] = report.variant_entry(required, gates, quality, None) | {
            "test_accuracy": accuracy_on_test(found, exam),
            "served_grouped": grouped,
            "runs_on_this_cpu": staged[name].runs_here,
            "size_bytes": sum(f.size for f in staged[name].manifest.files),
        }
    return entries


def load_handlers(task: str, directories: Mapping[str, Path]) -> dict[str, Handler | LoadError]:
    """Each artifact behind its real handler, golden requests answered; or why it must not serve."""
    path = handler_for(task)
    found = importlib.util.spec_from_file_location(f"marline_handler_{path.stem}", path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    kind = next(v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__)
    out: dict[str, Handler | LoadError] = {}
    for name, directory in directories.items():
        handler: Handler = kind()
        try:
            handler.load(directory, threads=1)
            out[name] = handler
        except LoadError as error:
            out[name] = error
    return out


def measure(
    spec: ModelSpec,
    handlers: Mapping[str, Handler],
    answers: Mapping[str, Answers],
    exam: Exam,
    entries: dict[str, Entry],
) -> None:
    """Time the loaded artifacts in interleaved rounds and add what belongs to this CPU class to their entries."""
    times = speed.measure({n: h.backend for n, h in handlers.items()}, spec.reference, exam.gate, spec.task != "tensor")
    for name, found in times.items():
        rss, load = answers[name].rss_bytes, answers[name].load_seconds
        misses = judge_speed(found, rss, load, spec.gates(name))
        report.add_speed(entries[name], found, rss, load, misses)
