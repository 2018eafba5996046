"""Generated blocks of the stored benchmark: the comparison, the targets, and where a request's time goes."""

from __future__ import annotations

import json
from typing import Any

from docs_tables import FIGURES, table

from marline.bench.page import HEAD, rows


def bench_table() -> str:
    """Every server of the stored run, best first."""
    report = _stored("bench.json")
    return f"{_run(report)}\n\n{table(HEAD, [tuple(row) for row in rows(report)])}{_absent(report)}"


def bench_targets() -> str:
    """Every target with its value, interval and verdict."""
    report = _stored("bench.json")
    lines = [
        (
            target["title"],
            f"{target['value']:.3g}",
            f"{target['interval'][0]:.3g} to {target['interval'][1]:.3g}",
            f"{'at most' if target['most'] else 'at least'} {target['limit']:g}",
            "ok" if target["reached"] else "short",
        )
        for target in report["targets"]
    ]
    missing = "".join(f"\n- {line}" for line in report["missing"])
    return table(("target", "value", "95 % interval", "limit", ""), lines) + (f"\n{missing}" if missing else "")


def bench_notes() -> str:
    """How each server was set up."""
    report = _stored("bench.json")
    lines = []
    for contender in report["contenders"]:
        versions = ", ".join(f"{name} {version}" for name, version in contender["versions"].items())
        lines.append(f"- {contender['title']} ({versions}){': ' if contender['notes'] else ''}{'; '.join(contender['notes'])}")
    return "\n".join(lines)


def served_cost() -> str:
    """CPU time of a request, by process and by step."""
    stored = _stored("served-cost.json")
    machine, archive = stored["machine"], stored["archive"]
    kinds = [(kind, f"{ms:.3f}") for kind, ms in sorted(stored["ms_per_request"].items(), key=lambda row: -row[1])]
    steps = [(step, f"{us:.0f}") for step, us in stored["worker_us_per_request"].items()]
    head = (
        f"CPU class {machine['cpu_class']}, {machine['cpus']} CPUs, `{archive['variant']}`, {stored['connections']} "
        f"connections (`{stored['command']}`):"
    )
    return "\n\n".join(
        (head, table(("where", "ms of CPU per request"), kinds), table(("step of a worker", "µs of CPU per request"), steps))
    )


def _run(report: dict[str, Any]) -> str:
    machine, model, plan = report["machine"], report["model"], report["plan"]
    return (
        f"CPU class {machine['cpu_class']}, {machine['cpus']} CPUs, `{model['variant']}`, {plan['rounds']} interleaved rounds, "
        f"{max(plan['connections'])} connections, medians with 95 % intervals (`{report['command']}`):"
    )


def _absent(report: dict[str, Any]) -> str:
    return "".join(f"\n- {name} was not measured: {reason}" for name, reason in report["absent"].items())


def _stored(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIGURES / name).read_text(encoding="utf-8"))
    return found
