"""Cluster, Helm and release file beside each other: what each says of the weights, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass

from marline.rollout.canary.plan import Weights, weights_of
from marline.rollout.canary.store import Held
from marline.rollout.helm.releases import Revision, deployed
from marline.rollout.helm.routes import live_weights
from marline.rollout.kube import Kube


@dataclass(frozen=True)
class Status:
    """What is known of a release.

    Attributes:
        file: weights of the release file.
        helm: weights of the revision in force.
        cluster: weights of the HTTPRoute.
        revision: in force.
        held: the last rollout, None before the first one.
    """

    file: Weights
    helm: Weights
    cluster: Weights
    revision: Revision
    held: Held | None

    @property
    def agrees(self) -> bool:
        """Whether all three say the same of every endpoint that has weight."""
        return _with_weight(self.file) == _with_weight(self.helm) == _with_weight(self.cluster)

    def differences(self) -> list[str]:
        """A sentence for each difference."""
        out = []
        running = self.held is not None and not self.held.state.over
        if _with_weight(self.helm) != _with_weight(self.cluster):
            then = (
                "the rollout is between the two, or goes back because somebody has written them by hand."
                if running
                else f"somebody has written them by hand; {mended(self.revision)}."
            )
            out.append(
                f"The cluster's HTTPRoute has {said(self.cluster)}, and revision {self.revision.number} of the release "
                f"{said(self.helm)}: {then}"
            )
        if _with_weight(self.file) != _with_weight(self.helm):
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
    return Status(file, weights_of(found.values), live_weights(kube, found), found, held)


def mended(revision: Revision) -> str:
    """What writes a revision's weights again, as the end of a sentence.

    On the server, Helm 4 applies all that a revision has; Helm 3 sends what differs from the revision before, which is
    nothing where the values are equal, and all weights where one is another.
    """
    if revision.server_side:
        return f"`helm rollback {revision.name} {revision.number} --force-conflicts` writes the release's"
    return "Helm 3 writes weights only where its values change them: `helm upgrade` with others, then again with the release's"


def said(weights: Weights) -> str:
    """Weights as a phrase."""
    return ", ".join(f"{endpoint} {weight}" for endpoint, weight in sorted(weights.items())) or "no weights"


def _with_weight(weights: Weights) -> Weights:
    return {endpoint: weight for endpoint, weight in weights.items() if weight}
