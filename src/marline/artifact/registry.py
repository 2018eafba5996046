"""Which version is in production: list, show, promote, roll back, collect garbage."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from typing import Any

from handlerkit import codec
from marline.artifact import ledger as ledgers
from marline.artifact import locks
from marline.artifact.diff import diff
from marline.artifact.ledger import Ledger
from marline.artifact.store import Store
from marline.errors import StoreError

__all__ = ["Entry", "Removed", "diff", "entries", "entry", "gc", "production", "promote", "rollback", "show"]


@dataclass(frozen=True)
class Entry:
    """One published version; ``default`` is the variant served where none is asked for, if a report names one."""

    model: str
    version: str
    stage: str
    variants: tuple[str, ...]
    default: str | None
    created: str


@dataclass(frozen=True)
class Removed:
    """A version that was deleted, or would be in a dry run, with the bytes its archives take."""

    model: str
    version: str
    stage: str
    size: int

    def __str__(self) -> str:
        return f"{self.model} {self.version} ({self.stage}, {self.size / 1e6:.1f} MB)"


def entries(store: Store, model: str | None = None) -> list[Entry]:
    """All published versions of one model or of all, by model, oldest version first."""
    models = store.models() if model is None else [model]
    return [entry(store, name, version) for name in models for version in store.versions(name)]


def entry(store: Store, model: str, version: str) -> Entry:
    """One published version.

    Raises:
        StoreError: when it is not there, listing those that are.
    """
    variants = store.variants(model, version)
    ledger = ledgers.read(store.root, model)
    default = (store.report(model, version) or {}).get("default_variant")
    return Entry(model, version, ledger.stage(version), tuple(variants), default, ledger.created.get(version, ""))


def production(store: Store, model: str) -> str | None:
    """The version in production, if it is still there."""
    found = ledgers.read(store.root, model).production()
    return found if found in store.versions(model) else None


def show(store: Store, model: str, version: str | None = None) -> dict[str, Any]:
    """Everything known of a version as JSON-ready values; by default production, else the newest.

    Returns:
        ``entry``, ``history`` (of the whole model, oldest first) and ``variants``: for each its
        ``sha256``, ``size_bytes`` of the archive, ``format``, ``requirements``, ``evidence`` by CPU
        class and ``report`` (its row of the version's report, or None).
    """
    chosen = version or production(store, model) or store.known_versions(model)[-1]
    found = entry(store, model, chosen)
    rows = (store.report(model, chosen) or {}).get("variants", {})
    variants = {}
    for name in found.variants:
        manifest = store.manifest(model, chosen, name)
        variants[name] = {
            "sha256": store.sha256(model, chosen, name),
            "size_bytes": store.archive(model, chosen, name).stat().st_size,
            "format": manifest.format,
            "requirements": codec.plain(manifest.requirements),
            "evidence": store.evidence(model, chosen, name),
            "report": rows.get(name),
        }
    history = codec.plain(ledgers.read(store.root, model).history)
    return {"entry": codec.plain(found), "history": history, "variants": variants}


def promote(store: Store, model: str, version: str) -> Entry:
    """Put a version into production; the one that was there is archived.

    A version that is in production already stays so, and nothing is written.

    Raises:
        StoreError: when the version is not there, an archive is damaged, or no variant passed.
    """
    variants = store.verify(model, version)
    rows = (store.report(model, version) or {}).get("variants", {})
    if not any(rows.get(name, {}).get("status") == "pass" for name in variants):
        found = ", ".join(f"{name} {rows.get(name, {}).get('status', 'not in the report')}" for name in variants)
        raise StoreError(
            f"{model} {version} cannot be promoted: no variant passed its quality gate ({found}); "
            f"build it again with `marline build {model}`, or promote another of: {', '.join(store.versions(model))}"
        )
    with locks.writing(store.root, model):
        ledger = ledgers.read(store.root, model)
        if ledger.stage(version) != "production":
            ledgers.write(store.root, model, _into_production(ledger, version, "promote"))
    return entry(store, model, version)


def rollback(store: Store, model: str) -> Entry:
    """Put the version back that was in production before; the current one is archived.

    A version that was rolled back itself is never returned to, so that repeating it goes further back.

    Raises:
        StoreError: when there is none to return to, or its archives are damaged.
    """
    there = store.known_versions(model)
    with locks.writing(store.root, model):
        ledger = ledgers.read(store.root, model)
        current = ledger.production()
        line = ledger.line_of_production()
        earlier = line[: line.index(current)] if current in line else []
        left = [version for version in earlier if version in there]
        if not left:
            raise StoreError(
                f"{model} cannot be rolled back: no version was in production before {current or 'now'} "
                f"(there are: {', '.join(f'{v} {ledger.stage(v)}' for v in there)}); "
                f"choose one with `marline registry promote {model} <version>`"
            )
        store.verify(model, left[-1])
        ledgers.write(store.root, model, _into_production(ledger, left[-1], "rollback"))
    return entry(store, model, left[-1])


def gc(
    store: Store, model: str | None = None, version: str | None = None, keep: int = 2, dry_run: bool = False
) -> list[Removed]:
    """Delete archived versions beyond the ``keep`` last archived of each model, and one named version.

    Production is never deleted.  What is deleted stays in the history.

    Args:
        store: where to delete.
        model: one model; all of them if None.
        version: this candidate or archived version is deleted too, whatever ``keep`` is.
        keep: archived versions to leave, >= 0.
        dry_run: delete nothing.

    Raises:
        StoreError: when the version is not there or is in production.
    """
    if keep < 0:
        raise StoreError(f"--keep {keep} is not allowed (allowed: 0 or more, the number of archived versions to leave)")
    if version is not None and model is None:
        raise StoreError("a version without its model; name it: `marline registry gc <model> --version <version>`")
    removed = []
    for name in store.models() if model is None else [model]:
        store.known_versions(name)
        with locks.writing(store.root, name):
            ledger = ledgers.read(store.root, name)
            for victim in _victims(store, name, version, keep, ledger):
                size = sum(store.archive(name, victim, v).stat().st_size for v in store.variants(name, victim))
                removed.append(Removed(name, victim, ledger.stage(victim), size))
                if not dry_run:
                    _delete(store, name, victim)
                    ledger = ledger.moved(victim, "gc", None)
                    ledgers.write(store.root, name, ledger)
    return removed


def _into_production(ledger: Ledger, version: str, action: str) -> Ledger:
    current = ledger.production()
    if current is not None:
        ledger = ledger.moved(current, action, "archived")
    return ledger.moved(version, action, "production")


def _victims(store: Store, model: str, version: str | None, keep: int, ledger: Ledger) -> list[str]:
    if version is not None:
        store.directory(model, version)
        if ledger.stage(version) == "production":
            raise StoreError(
                f"{model} {version} is in production and cannot be deleted; promote another version first "
                f"(there are: {', '.join(store.versions(model))})"
            )
    last = {change.version: index for index, change in enumerate(ledger.history) if change.went_to == "archived"}
    archived = [v for v in store.versions(model) if ledger.stage(v) == "archived" and v != version]
    archived.sort(key=lambda v: last.get(v, -1))
    return ([] if version is None else [version]) + archived[: max(0, len(archived) - keep)]


def _delete(store: Store, model: str, version: str) -> None:
    """Out of sight in one rename, then off the disk; what a killed gc left is cleared by the next."""
    trash = store.root / ".trash"
    trash.mkdir(exist_ok=True)
    (store.root / model / version).rename(trash / f"{model}-{version}-{secrets.token_hex(4)}")
    shutil.rmtree(trash, ignore_errors=True)
