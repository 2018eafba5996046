"""Spec to store: build, gate, pack, publish.  Everything or nothing becomes visible."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlerkit.machine import cpu_class
from handlerkit.serving import Handler
from marline.artifact import atomic
from marline.artifact.inputs import inputs_digest
from marline.artifact.judging import Entry, answers_of, judge, load_handlers, measure
from marline.artifact.mar import pack
from marline.artifact.staged import Stage, Staged
from marline.artifact.store import Store
from marline.build import machine, report
from marline.build.gate.exam import Exam
from marline.build.gate.quality import Answers
from marline.build.gate.questions import tensor_exam, text_exam
from marline.build.report_html import render
from marline.build.sources import resolve
from marline.errors import BuildError, GateError, SpecError
from marline.spec.compat import Compat, installed_versions
from marline.spec.model import ModelSpec
from marline.spec.names import VARIANTS

Say = Callable[[str], None]


@dataclass(frozen=True)
class BuildResult:
    """The report, and whether anything was built or it was all there already."""

    report: dict[str, Any]
    fresh: bool


def build_model(
    spec: ModelSpec,
    base: Path,
    store: Store,
    compat: Compat,
    say: Say,
    *,
    strict: bool = False,
    only: Sequence[str] = (),
) -> BuildResult:
    """Build, gate and publish the variants of a spec.

    Args:
        spec: what to build.
        base: the folder the spec lies in.
        store: where archives go.
        compat: the table of proven versions.
        say: called with lines of progress.
        strict: an unproven combination of versions is an error.
        only: variants to build besides the reference; all if empty.

    Returns:
        The report; with an unchanged spec, code and versions, and evidence for this CPU class, the
        stored one.

    Raises:
        SpecError: for versions known not to work.
        GateError: when a required variant failed or none is eligible here; nothing is published then
            and the report lies in the store's ``.failed`` folder.
    """
    warnings = compat.check(installed_versions())
    if strict and warnings:
        raise SpecError(warnings)
    if unknown := [name for name in only if name not in spec.variants]:
        raise BuildError(f"{spec.name}: has no variant {unknown[0]!r}; allowed: {', '.join(spec.variants)}")
    digest = inputs_digest(spec, installed_versions())
    if (known := _unchanged(store, spec, digest, only)) is not None:
        say(f"{spec.name} {spec.version}: unchanged, taken from {store.directory(spec.name, spec.version)}")
        return BuildResult(known, False)
    published = _published_entries(store, spec, digest) if only else {}
    source = resolve(spec, base)
    with (
        store.staging(spec.name, spec.version) as staging,
        tempfile.TemporaryDirectory(prefix="marline-build-") as scratch,
    ):
        stage = Stage(spec, source, staging.path, Path(scratch))
        wanted = [n for n in spec.variants if not only or n in only or n == spec.reference]
        staged, errors = _build_all(stage, wanted, say)
        exam = tensor_exam(spec) if stage.text is None else text_exam(spec, stage.text)
        found = answers_of({n: s.judged for n, s in staged.items()}, exam, Path(scratch), say)
        entries = judge(spec, staged, found, exam) | errors
        _golden_and_speed(spec, staged, found, exam, entries, say)
        entries = published | entries
        document = _document(spec, entries, exam, digest, warnings)
        for name in wanted:
            if entries[name]["status"] == "pass":
                entries[name]["sha256"] = pack(staged[name].directory, staged[name].manifest, staging.archive(name))
                if "p50_ms" in entries[name]:
                    _write_evidence(staging.path / name, document, entries[name])
            else:
                shutil.rmtree(staging.path / name, ignore_errors=True)
        _refuse_failures(spec, store, document, entries)
        write_report(staging.path, document)
        staging.commit()
    say(f"{spec.name} {spec.version}: published to {store.directory(spec.name, spec.version)}")
    return BuildResult(document, True)


def _build_all(stage: Stage, wanted: list[str], say: Say) -> tuple[dict[str, Staged], dict[str, Entry]]:
    staged: dict[str, Staged] = {}
    errors: dict[str, Entry] = {}
    for name in wanted:
        say(f"building {name}")
        try:
            staged[name] = stage.build(name)
        except BuildError as error:
            if name == stage.spec.reference:
                raise
            say(f"{name}: {error}")
            errors[name] = report.variant_entry(
                stage.spec.variants[name].required, stage.spec.gates(name), None, str(error)
            )
    return staged, errors


def _golden_and_speed(
    spec: ModelSpec,
    staged: dict[str, Staged],
    answers: dict[str, Answers | BuildError],
    exam: Exam,
    entries: dict[str, Entry],
    say: Say,
) -> None:
    passed = [n for n, e in entries.items() if e["status"] == "pass"]
    loaded = load_handlers(spec.task, {n: staged[n].judged for n in passed})
    handlers: dict[str, Handler] = {}
    for name, handler in loaded.items():
        if not isinstance(handler, Handler):
            entries[name] |= {"status": "fail", "error": str(handler)}
        elif staged[name].runs_here:
            handlers[name] = handler
    if spec.reference in handlers:
        say(f"timing {len(handlers)} variants in interleaved rounds, one thread")
        measure(spec, handlers, {n: a for n, a in answers.items() if isinstance(a, Answers)}, exam, entries)


def _document(
    spec: ModelSpec, entries: dict[str, Entry], exam: Exam, digest: str, warnings: list[str]
) -> dict[str, Any]:
    return {
        "schema_version": report.SCHEMA_VERSION,
        "model": spec.name,
        "version": spec.version,
        "task": spec.task,
        "reference": spec.reference,
        "inputs_sha256": digest,
        "items": {"gate": len(exam.gate), "test": len(exam.test)},
    } | measured_here(entries, warnings)


def measured_here(entries: dict[str, Entry], warnings: list[str]) -> dict[str, Any]:
    """The part of a report that belongs to this machine, and what follows from its measurements."""
    portable = {name for name in entries if VARIANTS[name].portable}
    about = machine.describe()
    return {
        "cpu_class": about["cpu_class"],
        "machine": about,
        "versions": installed_versions(),
        "default_variant": report.default_variant(entries),
        "default_portable": report.default_variant(entries, portable),
        "warnings": warnings,
        "variants": entries,
    }


def _refuse_failures(spec: ModelSpec, store: Store, document: dict[str, Any], entries: dict[str, Entry]) -> None:
    failed = [n for n, e in entries.items() if e["required"] and e["status"] == "fail"]
    if not failed and document["default_variant"] is not None:
        return
    folder = store.root / ".failed" / f"{spec.name}-{spec.version}"
    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder, document)
    if not failed:
        raise GateError(
            f"{spec.name} {spec.version}: no variant is eligible on CPU class {document['cpu_class']}; "
            f"see {folder / 'report.html'}, and loosen a limit with a reason or add a variant"
        )
    entry = entries[failed[0]]
    why = entry["error"] or "; ".join(
        f"{m['limit']} {m['found']:.4g}, allowed {m['allowed']:.4g}" for m in entry["missed"]
    )
    raise GateError(
        f"{spec.name} {spec.version}: required variant {failed[0]} failed: {why}; nothing was published, "
        f"see {folder / 'report.html'}"
    )


def write_report(folder: Path, document: dict[str, Any]) -> None:
    """Write ``report.json`` and ``report.html``."""
    atomic.write_json(folder / "report.json", document)
    atomic.write_text(folder / "report.html", render(document))


def evidence(document: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """What was measured of one archive on one machine, bound to it by its digest."""
    return {
        "schema_version": report.SCHEMA_VERSION,
        "sha256": entry["sha256"],
        "machine": document["machine"],
        "versions": document["versions"],
        "warnings": document["warnings"],
        "measured": {
            key: value for key, value in entry.items() if key not in ("limits", "required", "loosened_because", "error")
        },
    }


def _write_evidence(directory: Path, document: dict[str, Any], entry: Entry) -> None:
    (directory / "evidence").mkdir()
    atomic.write_json(directory / "evidence" / f"{document['cpu_class']}.json", evidence(document, entry))


def _published_entries(store: Store, spec: ModelSpec, digest: str) -> dict[str, Entry]:
    """What the published report says of variants that this build leaves alone.

    Raises:
        BuildError: when they were built from other inputs: one report cannot speak for both.
    """
    known = store.report(spec.name, spec.version) if spec.version in store.versions(spec.name) else None
    if known is None:
        return {}
    if known["inputs_sha256"] != digest or known["cpu_class"] != cpu_class():
        raise BuildError(
            f"{spec.name} {spec.version}: was published from other inputs or measured on another CPU class; "
            "build all variants (without `--variant`), or raise `version:` in the spec"
        )
    found: dict[str, Entry] = known["variants"]
    return found


def _unchanged(store: Store, spec: ModelSpec, digest: str, only: Sequence[str]) -> dict[str, Any] | None:
    """The stored report, if it is of these inputs and this CPU class and its archives are whole."""
    if spec.version not in store.versions(spec.name):
        return None
    known: dict[str, Any] | None = store.report(spec.name, spec.version)
    if known is None or known["inputs_sha256"] != digest or known["cpu_class"] != cpu_class():
        return None
    if not set(only or spec.variants) <= set(known["variants"]):
        return None
    store.verify(spec.name, spec.version)
    return known
