"""Evidence for another machine: existing archives, unpacked, examined and timed; no byte of them changes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from handlerkit.machine import cpu_flags
from handlerkit.serving import Handler
from marline.artifact.judging import answers_of, load_handlers, measure
from marline.artifact.pipeline import evidence, measured_here, write_report
from marline.artifact.store import Store
from marline.build import report
from marline.build.gate.quality import Answers
from marline.build.gate.questions import tensor_exam, text_exam
from marline.build.sources import load_text_source, resolve
from marline.errors import BuildError, GateError, SpecError, StoreError
from marline.spec.compat import Compat, installed_versions
from marline.spec.model import ModelSpec
from marline.spec.names import VARIANTS


def measure_model(
    spec: ModelSpec, base: Path, store: Store, compat: Compat, say: Callable[[str], None], *, strict: bool = False
) -> dict[str, Any]:
    """Measure every published variant that this CPU can run, and write its evidence.

    Args:
        spec: the spec the archives were built from.
        base: the folder the spec lies in.
        store: where the archives are.
        compat: the table of proven versions.
        say: called with lines of progress.
        strict: an unproven combination of versions is an error.

    Returns:
        The version's report with this machine's measurements.

    Raises:
        SpecError: for versions known not to work.
        StoreError: when the version is not there or has no report.
        GateError: when no variant is eligible on this CPU class.
    """
    warnings = compat.check(installed_versions())
    if strict and warnings:
        raise SpecError(warnings)
    document = store.report(spec.name, spec.version)
    if document is None:
        raise StoreError(f"{store.root}: {spec.name} {spec.version} has no report; run `marline build {spec.name}`")
    source = resolve(spec, base)
    exam = tensor_exam(spec) if spec.task == "tensor" else text_exam(spec, load_text_source(spec, source))
    published = store.variants(spec.name, spec.version)
    for name in set(published) - set(document["variants"]):
        say(f"{name}: is not in the version's report, so it is not measured; run `marline build {spec.name}`")
    able = {n for n in document["variants"] if set(VARIANTS[n].cpu_flags) <= cpu_flags()}
    here = [n for n in published if n in able]
    entries = {name: report.without_speed(entry, name in able) for name, entry in document["variants"].items()}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marline-measure-")))
        unpacked = {n: stack.enter_context(store.unpacked(spec.name, spec.version, n)) for n in here}
        found = answers_of(unpacked, exam, scratch, say)
        handlers = {}
        for name, handler in load_handlers(spec.task, unpacked).items():
            answered = found[name]
            if isinstance(handler, Handler) and isinstance(answered, Answers):
                handlers[name] = handler
            else:
                say(f"{name}: {handler if not isinstance(handler, Handler) else answered}")
        if spec.reference not in handlers:
            raise BuildError(
                f"{spec.name} {spec.version}: the reference {spec.reference} does not run here, nothing can be compared with it"
            )
        say(f"timing {len(handlers)} variants in interleaved rounds, one thread")
        measure(spec, handlers, {n: a for n, a in found.items() if isinstance(a, Answers)}, exam, entries)
    document |= measured_here(entries, warnings)
    for name in handlers:
        store.write_evidence(spec.name, spec.version, name, document["cpu_class"], evidence(document, entries[name]))
    folder = store.directory(spec.name, spec.version)
    write_report(folder, document)
    if document["default_variant"] is None:
        raise GateError(
            f"{spec.name} {spec.version}: no variant is eligible on CPU class {document['cpu_class']}; see {folder / 'report.html'}"
        )
    return document
