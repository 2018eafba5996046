"""Cluster, Helm and release file beside each other: what each says of the weights, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass

from marline.rollout.canary.plan import Weights, weights_of
from marline.rollout.canary.store import Held
from marline.rollout.helm.releases import deployed
from marline.rollout.helm.routes import live_weights
from marline.rollout.kube import Kube


@dataclass(frozen=True)
class Status:
    """What is known of a release.

    Attributes:
        file: weights of the release file.
        helm: weights of the revision in force.
        cluster: weights of the HTTPRoute.
        revision: its number.
        held: the last rollout, None before the first one.
    """

    file: Weights
    helm: Weights
    cluster: Weights
    revision: int
    held: Held | None

    @property
    def agrees(self) -> bool:
        """Whether all three say the same of every endpoint that has weight."""
        return _with_weight(self.file) == _with_weight(self.helm) == _with_weight(self.cluster)

    def differences(self) -> list[str]:
        """A sentence for each difference."""
        out = []
        if _with_weight(self.helm) != _with_weight(self.cluster):
            out.append(
                f"The cluster's HTTPRoute has {said(self.cluster)}, and revision {self.revision} of the release "
                f"{said(self.helm)}: a rollout is on its way back, or somebody has written it by hand; `helm upgrade` "
                "or `helm rollback` writes the release's."
            )
        if _with_weight(self.file) != _with_weight(self.helm):
            running = self.held is not None and not self.held.state.over
            then = (
                "the rollout is on its way there."
                if running
                else "`marline rollout start` moves the traffic there, or the file should say what is in force."
            )
            out.append(f"The release file says {said(self.file)}, and the release has {said(self.helm)}: {then}")
        return out


def status(kube: Kube, release: str, file: Weights, held: Held | None) -> Status:
    """Look at everything.

    Args:
        kube: the release's namespace.
        release: its name.
        file: weights of the release file.
        held: the last rollout.

    Raises:
        MarlineError: where the release is not installed, or has no weights.
    """
    found = deployed(kube, release)
    return Status(file, weights_of(found.values), live_weights(kube, found), found.number, held)


def said(weights: Weights) -> str:
    """Weights as a phrase."""
    return ", ".join(f"{endpoint} {weight}" for endpoint, weight in sorted(weights.items())) or "no weights"


def _with_weight(weights: Weights) -> Weights:
    return {endpoint: weight for endpoint, weight in weights.items() if weight}
