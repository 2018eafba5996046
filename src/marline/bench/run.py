"""One benchmark: everything in one go, as a document."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlerkit import backends
from handlerkit import manifest as manifests
from handlerkit.batching import LONG, measured_run_cost
from handlerkit.text import Tokenizer
from marline.bench import openloop, padding, questions, rounds, start, wrk
from marline.bench.asking import questions_of
from marline.bench.contenders import Contender
from marline.bench.load import Loaded, load
from marline.bench.raw import Batching, Raw, choices
from marline.bench.targets import targets, verdicts
from marline.build.machine import describe
from marline.errors import BenchError, MarlineError
from marline.serve.torchserve.cpus import cpus as usable
from marline.spec.model import ModelSpec

SCHEMA = 1
CHOICE_SECONDS = 2.0


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes:
        spec: of the model.
        archive: directory of the unpacked archive.
        contenders: the served one first.
        plan: of the rounds.
        load_rounds: of the open-loop part; 0 leaves it out.
        start_rounds: of cold starts; 0 leaves them out.
        work: a directory for files.
        command: that makes this report.
    """

    spec: ModelSpec
    archive: Path
    contenders: Sequence[Contender]
    plan: rounds.Plan
    load_rounds: int
    start_rounds: int
    work: Path
    command: str


def run(wanted: Request, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything.

    Args:
        wanted: what.
        say: progress, one line each.

    Returns:
        The report.

    Raises:
        BenchError: when the model cannot be asked, or nothing could be started.
    """
    wrk.program()
    if wanted.load_rounds:
        openloop.program()
    asked = questions_of(wanted.spec, wanted.archive)
    path = wanted.work / "questions.json"
    questions.write(path, asked)
    # loops, workers and peers on the same CPUs, as many as there are workers; what is started inherits the mask
    serving = wanted.spec.serving
    cpus = sorted(os.sched_getaffinity(0))[: max(serving.min_workers, min(serving.max_workers, usable()))]
    os.sched_setaffinity(0, cpus)
    served = wanted.contenders[0]
    with Raw(wanted.archive, path, cpus) as raw:
        tried = _choices(raw, say)
        best = max(tried, key=lambda b: tried[b]["rate"])
        found = rounds.compare(wanted.contenders, raw, best, asked, wanted.plan, wanted.work, say)
        if served.name not in found.turns:
            raise BenchError(f"{served.name} did not start: {found.absent.get(served.name, 'no reason given')}")
        loaded: Loaded | None = None
        if wanted.load_rounds:
            peak = float(np.median([t.loaded[max(wanted.plan.connections)].rate for t in found.turns[served.name]]))
            try:
                loaded = load(
                    served, raw, asked, peak, wanted.load_rounds, wanted.plan.seconds, wanted.work, say,
                    wanted.plan.warm_seconds,
                )  # fmt: skip
            except MarlineError as error:
                found.absent["open-loop load"] = str(error)
    starts: list[start.Start] = []
    try:
        for _ in range(wanted.start_rounds):
            starts.append(start.start(served, wanted.archive, path, asked[0]))
    except MarlineError as error:
        found.absent["cold start"] = str(error)
    gain = tried[best]["rate"] / tried[Batching(1, False)]["rate"]
    measured = _values(found, wanted, loaded, starts)
    measured |= _padding(wanted, asked)
    judged, missing = verdicts(measured, [t for t in targets(gain) if t.name in _asked_for(wanted)])
    return {
        "schema_version": SCHEMA,
        "command": wanted.command,
        "machine": {**describe(), "cpus": len(cpus)},
        "model": _identity(wanted.archive),
        "texts": {"count": len(asked), "tokens_mean": round(float(np.mean([q.tokens for q in asked])), 1)},
        "plan": vars(wanted.plan) | {"load_rounds": wanted.load_rounds, "start_rounds": wanted.start_rounds},
        "raw": {"best": str(best), "choices": [{"batching": str(b), **row} for b, row in tried.items()]},
        "contenders": [
            {"name": c.name, "title": c.title, "versions": c.versions, "notes": list(c.notes)} for c in wanted.contenders
        ],
        "absent": found.absent,
        "turns": rounds.as_json(found),
        "load": None if loaded is None else vars(loaded),
        "starts": [vars(s) for s in starts],
        "targets": [v.as_json() for v in judged],
        "missing": missing,
        "lines": [str(v) for v in judged] + missing,
    }


def _choices(raw: Raw, say: Callable[[str], None]) -> dict[Batching, dict[str, float]]:
    """Every grouping of the bare loop, in three rounds, medians."""
    taken: dict[Batching, list[Any]] = {}
    for _ in range(3):
        for batching in choices():
            taken.setdefault(batching, []).append(raw.run(batching, CHOICE_SECONDS))
    out = {
        batching: {
            "rate": round(float(np.median([r.rate for r in runs])), 1),
            "cpu_s_per_1000": round(float(np.median([1000 * r.cpu_seconds / r.right for r in runs])), 3),
            "padding": round(runs[0].padding, 4),
            "wrong": sum(r.wrong for r in runs),
        }
        for batching, runs in taken.items()
    }
    for batching, row in out.items():
        say(f"bare loop, batches of {batching}: {row['rate']:.0f}/s")
    return out


def _values(found: rounds.Comparison, wanted: Request, loaded: Loaded | None, starts: list[start.Start]) -> dict[str, list[float]]:
    most, own = max(wanted.plan.connections), found.turns[wanted.contenders[0].name]
    out = {"rate": [t.rate_ratio(most) for t in own], "cpu": [t.cpu_ratio(most) for t in own]}
    if stock := found.turns.get("stock"):
        out["stock"] = _over(own, stock, most)
    peers = {n: t for n, t in found.turns.items() if n != "stock" and not n.startswith(wanted.contenders[0].name)}
    if peers:
        best = max(peers.values(), key=lambda turns: float(np.median([t.rate_ratio(most) for t in turns])))
        out["peer"] = _over(own, best, most)
    if fastapi := found.turns.get("fastapi"):
        out["lone"] = [
            a.loaded[rounds.LONE].p50_ms / b.loaded[rounds.LONE].p50_ms for a, b in zip(own, fastapi, strict=True)
        ]
    if loaded is not None:
        out |= {"queue": loaded.queue, "goodput": loaded.goodput, "refusal": loaded.refusal}
    if starts:
        out["start"] = [s.ratio for s in starts]
    return out


def _asked_for(wanted: Request) -> set[str]:
    """Targets whose part of the benchmark was wanted."""
    names = {c.name for c in wanted.contenders}
    out = {"rate", "cpu", "padding", "aware"} | ({"stock"} & names) | ({"lone"} if "fastapi" in names else set())
    if any(n != "stock" and not n.startswith("marline") for n in names):
        out.add("peer")
    out |= {"queue", "goodput", "refusal"} if wanted.load_rounds else set()
    return out | ({"start"} if wanted.start_rounds else set())


def _over(own: list[rounds.Turn], other: list[rounds.Turn], connections: int) -> list[float]:
    """Round by round; a round in which the other one answered nothing has no ratio."""
    pairs = zip(own, other, strict=True)
    return [a.rate_ratio(connections) / b.rate_ratio(connections) for a, b in pairs if b.loaded[connections].right]


def _padding(wanted: Request, asked: list[questions.Question]) -> dict[str, list[float]]:
    """Waste on the real mix, and what grouping by length gains on a wide one."""
    manifest = manifests.read(wanted.archive)
    parameters = manifest.inference_parameters
    group, share = int(parameters["max_group"]), float(parameters["max_padding"])
    backend = backends.load(manifest, wanted.archive, 1)
    tokenizer = Tokenizer(wanted.archive / str(manifest.tokenizer), int(parameters["max_length"]))
    rows = padding.mix()
    known = group > 1 and int(parameters["max_length"]) >= LONG
    cost = measured_run_cost(lambda tokens: backend.run(tokenizer.pad([[0] * tokens]))) if known else 0.0
    gains = [padding.speedup(backend, tokenizer, rows, group, share, cost) for _ in range(wanted.plan.rounds)]
    return {"padding": [padding.waste(asked, wanted.spec.serving.batch_size, group, share, cost)], "aware": gains}


def _identity(archive: Path) -> dict[str, Any]:
    manifest = manifests.read(archive)
    return {"model": manifest.model, "version": manifest.version, "variant": manifest.variant}
