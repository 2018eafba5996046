"""``registry.json``: the stage of each version and how it came to it, one atomic file per model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from handlerkit import codec
from marline.artifact import atomic
from marline.errors import StoreError

SCHEMA_VERSION = 1
STAGES = ("candidate", "production", "archived")
FILE_NAME = "registry.json"


@dataclass(frozen=True)
class Change:
    """One version's step from a stage to another.

    ``action`` is build, promote, rollback or gc; ``came_from`` and ``went_to`` are stages, or None
    before a version was built and after it was deleted.
    """

    time: str
    version: str
    action: str
    came_from: str | None
    went_to: str | None


@dataclass(frozen=True)
class Ledger:
    """Stage and first publication (UTC, ISO 8601) per version, and every change, oldest first."""

    schema_version: int
    stages: Mapping[str, str]
    created: Mapping[str, str]
    history: tuple[Change, ...]

    def stage(self, version: str) -> str:
        """The stage of a version; one that is not written down is a candidate."""
        return self.stages.get(version, "candidate")

    def production(self) -> str | None:
        """The version in production."""
        return next((version for version, stage in self.stages.items() if stage == "production"), None)

    def moved(self, version: str, action: str, to: str | None) -> Ledger:
        """This ledger with one more change; ``to`` None forgets the version but not its history."""
        before = self.stages.get(version)
        stages = {v: s for v, s in self.stages.items() if v != version}
        created = {v: t for v, t in self.created.items() if v != version or to is not None}
        if to is not None:
            stages[version] = to
            created.setdefault(version, now())
        change = Change(now(), version, action, before, to)
        return replace(self, stages=stages, created=created, history=(*self.history, change))

    def line_of_production(self) -> list[str]:
        """Versions that were in production and were not rolled back, oldest first, the current one last."""
        line: list[str] = []
        for change in self.history:
            if change.went_to != "production":
                continue
            if change.action == "rollback" and change.version in line:
                del line[line.index(change.version) + 1 :]
            else:
                line = [*(v for v in line if v != change.version), change.version]
        return line


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(root: Path, model: str) -> Ledger:
    """A model's ledger; empty where nothing was written yet.

    Raises:
        StoreError: when the file is damaged.
    """
    path = root / model / FILE_NAME
    if not path.is_file():
        return Ledger(SCHEMA_VERSION, {}, {}, ())
    try:
        ledger = codec.loads(Ledger, path.read_bytes())
    except codec.CodecError as error:
        raise StoreError(
            f"{path}: {error}; restore it from a copy, or remove it, which makes every version a candidate"
        ) from error
    if ledger.schema_version != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema_version {ledger.schema_version} is not supported (allowed: {SCHEMA_VERSION}); "
            "use the marline version that wrote it"
        )
    if unknown := sorted(set(ledger.stages.values()) - set(STAGES)):
        raise StoreError(
            f"{path}: stage {unknown[0]!r} is unknown (allowed: {', '.join(STAGES)}); restore it from a copy"
        )
    return ledger


def write(root: Path, model: str, ledger: Ledger) -> None:
    """Replace a model's ledger; the caller holds :func:`marline.artifact.locks.writing`."""
    atomic.write_text(root / model / FILE_NAME, codec.dumps(ledger))


def created(root: Path, model: str, version: str) -> None:
    """Write down a version that is about to appear, as a candidate."""
    write(root, model, read(root, model).moved(version, "build", "candidate"))
