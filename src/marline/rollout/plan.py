"""From the name of a release to the chart's values, or to every problem at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from marline.artifact.store import Store
from marline.errors import SpecError
from marline.rollout.facts import Facts
from marline.rollout.lock import locked_facts, stored_facts, write_again
from marline.rollout.salvage import salvage, stand_in
from marline.rollout.scaling import pod_capacity
from marline.rollout.server import settings
from marline.rollout.text import dump
from marline.rollout.values import Values, chart_values, variant_values
from marline.spec.explain import validate
from marline.spec.load import load_model_spec
from marline.spec.model import Serving
from marline.spec.names import VARIANTS
from marline.spec.release import ReleaseSpec, lock_path, resolve_release_path
from marline.spec.release_rules import between_endpoints
from marline.spec.yaml import Document, read_yaml


@dataclass(frozen=True)
class Plan:
    """What a release comes to.

    Attributes:
        name: as it was asked for.
        path: the release file.
        release: what it says.
        facts: of each endpoint's artifact.
        values: the chart's.
        remarks: what the targets follow from, a sentence for each endpoint that was measured.
        notes: what a person should know, one sentence each.
    """

    name: str
    path: Path
    release: ReleaseSpec
    facts: dict[str, Facts]
    values: Values
    remarks: list[str]
    notes: list[str]

    @property
    def text(self) -> str:
        """The values as YAML, below the command that made them and the one that installs them."""
        release = self.release
        return dump(
            self.values,
            f"Written by `marline release {self.name}`; change {self.path} and write it again.",
            f"helm upgrade --install {release.release} helm/ --namespace {release.namespace} --values THIS",
            *self.remarks,
        )


def plan(name: str, store: Store | None, *, locking: bool = False) -> Plan:
    """Derive the values of a release.

    Args:
        name: of a file in ``config/releases``, or its path.
        store: where the archives are, compared with the release's lock, and asked where there is no lock;
            None takes everything from the lock.
        locking: take everything from the store, whatever the lock says.

    Raises:
        SpecError: every problem of the release, its lock, the models' specs and the store, at once.
    """
    path = resolve_release_path(name)
    document = read_yaml(path)
    problems: list[str] = []
    notes: list[str] = []
    try:
        release = validate(ReleaseSpec, document)
    except SpecError as error:
        problems += error.problems
        release = salvage(document.data)
    problems += [f"{document.where(key)}: {sentence}" for key, sentence in between_endpoints(document.data)]
    # a variant that no build makes was reported above; lock and store would say it again
    makes = {name: own for name, own in release.variants.items() if own.variant in VARIANTS}
    facts = None if locking else locked_facts(makes, document, store, problems, notes)
    if facts is None and store is None:
        problems.append(f"{lock_path(path)}: there is no such lock; {write_again(path)}")
    elif facts is None and store is not None:
        facts = stored_facts(makes, document, store, problems)
    values: dict[str, Values] = {}
    remarks: list[str] = []
    for endpoint, wanted in release.variants.items():
        known = (facts or {}).get(endpoint)
        serving = Serving() if known is None else _serving(document, endpoint, known, problems)
        known = known or stand_in(wanted)
        values[endpoint], wrong = variant_values(wanted, known, serving, release.front, release.drain)
        problems += [f"{document.where(('variants', endpoint, *key))}: {sentence}" for key, sentence in wrong]
        if found := pod_capacity(known, settings(wanted, serving, known, release.front)):
            remarks.append(
                f"{endpoint}: {_measured(known)}, so a pod can do {found.per_second:.0f} requests/s at most."
            )
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return Plan(str(name), path, release, facts or {}, chart_values(release, values), remarks, notes)


def _measured(facts: Facts) -> str:
    """The measured time of a request and where it was measured, as a phrase."""
    measured = facts.measured
    assert measured is not None, "a capacity follows from a measurement"
    return f"{facts.who} takes {measured.mean_ms:.1f} ms in the model for a request on {measured.cpu_class}"


def _serving(document: Document, endpoint: str, facts: Facts, problems: list[str]) -> Serving:
    """The model's ``serving``; where its spec is missing or wrong, that is a problem."""
    try:
        return load_model_spec(facts.model, untrained=True).serving
    except SpecError as error:
        where = document.where(("variants", endpoint, "model"))
        problems += [f"{where}: the model's `serving` cannot be read: {problem}" for problem in error.problems]
        return Serving()
