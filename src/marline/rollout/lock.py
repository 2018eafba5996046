"""The lock of a release: the facts that its values follow from, written down beside it and committed.

Archives are the same in every build, measurements are not: with the lock, the values and ``k8s/`` follow
from committed files alone, whether or not there is a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from marline.artifact import atomic
from marline.artifact.store import Store
from marline.errors import SpecError, StoreError
from marline.rollout.facts import Facts, from_store
from marline.spec.base import Strict
from marline.spec.explain import validate
from marline.spec.release import RELEASES_DIR, ReleaseVariant, lock_path
from marline.spec.yaml import Document, read_yaml


class Lock(Strict):
    """Facts by endpoint."""

    schema_version: Literal[1]
    variants: dict[str, Facts] = Field(description="Facts of each endpoint's artifact.")


def write_lock(path: Path, facts: dict[str, Facts]) -> None:
    """Write the lock atomically."""
    lock = Lock(schema_version=1, variants=facts)
    atomic.write_json(path, lock.model_dump(mode="json"))


def locked_facts(
    endpoints: Mapping[str, ReleaseVariant],
    document: Document,
    store: Store | None,
    problems: list[str],
    notes: list[str],
) -> dict[str, Facts] | None:
    """Facts by endpoint from the release's lock, compared with the store; None where there is no lock.

    Args:
        endpoints: what the release says of each.
        document: the release file; the lock lies beside it.
        store: where archives are; None where nothing is to be compared.
        problems: gets what is wrong: endpoints that the lock does not know, or knows as other bytes.
        notes: gets a sentence for each artifact that the store does not hold.
    """
    path, again = lock_path(document.path), write_again(document.path)
    if not path.exists():
        return None
    try:
        lines = read_yaml(path)
        lock = validate(Lock, lines)
    except SpecError as error:
        problems += [f"{problem}; {again}" for problem in error.problems]
        return {}
    written = document.data.get("variants")
    for endpoint in lock.variants:
        if isinstance(written, dict) and endpoint not in written:
            problems.append(f"{lines.where(('variants', endpoint))}: is no variant of {document.path}; {again}")
    out = {}
    for endpoint, wanted in endpoints.items():
        facts = lock.variants.get(endpoint)
        try:
            if facts is None or not _about(facts, wanted):
                if store is not None:
                    store.directory(wanted.model, wanted.version, wanted.variant)
                where = document.where(("variants", endpoint))
                problems.append(f"{where}: {path} does not know {_named(wanted)}; {again}")
                continue
            out[endpoint] = facts
            if store is None:
                continue
            if _missing(store, wanted):
                notes.append(f"{store.root} holds no {facts.who}; what {path} says of it holds")
                continue
            found = store.verify(wanted.model, wanted.version, wanted.variant)[wanted.variant]
        except StoreError as error:
            problems.append(_refused(document, endpoint, wanted, store, error))
            continue
        if found != facts.sha256:
            where = lines.where(("variants", endpoint, "sha256"))
            problems.append(f"{where}: is {facts.sha256}, but {store.root} holds {facts.who} as {found}; {again}")
    return out


def stored_facts(
    endpoints: Mapping[str, ReleaseVariant], document: Document, store: Store, problems: list[str]
) -> dict[str, Facts]:
    """Facts by endpoint from the store alone; ``problems`` gets what it does not hold, or holds damaged."""
    out = {}
    for endpoint, wanted in endpoints.items():
        try:
            out[endpoint] = from_store(store, wanted)
        except StoreError as error:
            problems.append(_refused(document, endpoint, wanted, store, error))
    return out


def write_again(path: Path) -> str:
    """What to do about a lock that does not fit."""
    name = path.stem if path == RELEASES_DIR / f"{path.stem}.yaml" else path
    return f"write the lock again with `marline release {name} --lock`"


def _refused(document: Document, endpoint: str, wanted: ReleaseVariant, store: Store | None, error: StoreError) -> str:
    """The store's refusal, at the key that it is about."""
    missing = None if store is None else _missing(store, wanted)
    key = missing or ("cpu_class" if wanted.cpu_class else "variant")
    return f"{document.where(('variants', endpoint, key))}: {error}"


def _about(facts: Facts, wanted: ReleaseVariant) -> bool:
    """Whether facts are about the artifact, and the CPU class, that the release names."""
    artifact = (facts.model, facts.version, facts.variant) == (wanted.model, wanted.version, wanted.variant)
    measured = facts.measured.cpu_class if facts.measured else None
    return artifact and wanted.cpu_class in (None, measured)


def _named(wanted: ReleaseVariant) -> str:
    on = f" on CPU class {wanted.cpu_class}" if wanted.cpu_class else ""
    return f"{wanted.model} {wanted.version} {wanted.variant}{on}"


def _missing(store: Store, wanted: ReleaseVariant) -> str | None:
    """The first of model, version and variant that the store does not hold, None where it holds all."""
    versions = store.versions(wanted.model)
    if not versions:
        return "model"
    if wanted.version not in versions:
        return "version"
    return None if wanted.variant in store.variants(wanted.model, wanted.version) else "variant"
