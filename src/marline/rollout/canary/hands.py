"""What a driver does to the release: Helm's values, and the weights of its HTTPRoute."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from marline.errors import MarlineError
from marline.rollout.canary.ends import Foreign
from marline.rollout.canary.golden import host
from marline.rollout.canary.plan import Plan, Weights
from marline.rollout.helm.releases import Revision, deployed
from marline.rollout.helm.routes import live_weights, services, write_weights
from marline.rollout.helm.upgrade import LABEL, HelmRefused, clear_pending, upgrade
from marline.rollout.kube import Kube
from marline.rollout.values import Values

ATTEMPTS = 3
PAUSE_S = 1.0


class Hands:
    """One rollout's changes.

    Args:
        kube: the release's namespace.
        helm: the program.
        plan: of the rollout.
        patience_s: how long a Helm may still be at work that outlived an earlier driver.
        breathe: called while waiting.
    """

    def __init__(self, kube: Kube, helm: Path, plan: Plan, patience_s: float, breathe: Callable[[], None]) -> None:
        self.kube, self.helm, self.plan, self.patience_s, self.breathe = kube, helm, plan, patience_s, breathe

    def revision(self) -> Revision:
        """The revision in force, made by this rollout or the one that it began with.

        Raises:
            Foreign: for any other.
        """
        found = deployed(self.kube, self.plan.release)
        if found.number != self.plan.base and not self._ours(found):
            raise Foreign(
                f"Revision {found.number} of release {found.name} was made by somebody else while the rollout ran; the "
                "rollout ends, and the release stays as that revision has it."
            )
        return found

    def _ours(self, revision: Revision) -> bool:
        """Whether this rollout made a revision: Helm gives each one the labels of that before it, whoever makes it."""
        return revision.labels.get(LABEL) == self.plan.id and self.plan.makes(revision.values)

    def values(self, wanted: Values) -> str | None:
        """Bring values into force, unless they are.

        Returns:
            What had to be cleared away for that, as a sentence.

        Raises:
            HelmRefused: when Helm refuses three times.
            Foreign: when somebody else has changed the release.
        """
        cleared: str | None = None
        for attempt in range(ATTEMPTS):
            try:
                again = clear_pending(self.kube, self.plan.release, self._ours, self.patience_s, self.breathe)
                cleared = again or cleared
                found = self.revision()
                if cleared and found.values == wanted:
                    # what the ended Helm has made already is in no revision: Helm takes away what it has had
                    upgrade(self.helm, self.kube, found, self.plan.values(0), self.plan.id)
                    found = self.revision()
                if found.values != wanted:
                    upgrade(self.helm, self.kube, found, wanted, self.plan.id)
                return cleared
            except HelmRefused:
                if attempt == ATTEMPTS - 1:
                    raise
                # another Helm, or an API server that is short of breath
                time.sleep(PAUSE_S)
        raise AssertionError("the last attempt returns or raises")

    def weights(self) -> Weights:
        """What the cluster's HTTPRoute has."""
        return live_weights(self.kube, self.revision())

    def write(self, weights: Weights) -> None:
        """Write weights at once."""
        write_weights(self.kube, self.revision(), weights)

    def address(self, endpoint: str) -> str:
        """The address of an endpoint's Service: names are known only inside of the cluster."""
        name = services(self.revision())[endpoint]
        service = self.kube.get("services", name)
        if service is None or not service["spec"].get("clusterIP") or service["spec"]["clusterIP"] == "None":
            raise MarlineError(f"services/{name} in namespace {self.kube.namespace}: is gone, or has no address")
        address, port = service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]
        return f"http://{host(address)}:{port}"
