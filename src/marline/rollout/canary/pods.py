"""Whether an endpoint's pods are ready, and what hinders those that are not."""

from __future__ import annotations

from dataclasses import dataclass

from marline.rollout.kube import Kube, Object

ENDPOINT = "marline.dev/endpoint"
# pods of `helm test` have the endpoint's label too
COMPONENT = "app.kubernetes.io/component=server"


@dataclass(frozen=True)
class Pods:
    """An endpoint's pods at one moment.

    Attributes:
        names: of all that are not about to end.
        ready: addresses of those that get requests, by name.
        wanted: how many there should be.
        current: whether all of them are what the Deployment says now.
        hindrance: why one is not ready, as a phrase; empty where none is known.
        restarts: restarts of its containers, by pod.
    """

    names: tuple[str, ...]
    ready: dict[str, str]
    wanted: int
    current: bool
    hindrance: str
    restarts: dict[str, int]

    def missing(self, least: int = 1) -> str | None:
        """What is missing for traffic, as a phrase; None where nothing is."""
        wanted = max(least, self.wanted)
        if not self.current:
            return "its pods are being replaced"
        if len(self.ready) < wanted:
            because = f" ({self.hindrance})" if self.hindrance else ""
            return f"{len(self.ready)} of {wanted} pods are ready{because}"
        return None


def look(kube: Kube, release: str, endpoint: str) -> Pods:
    """Look at an endpoint's pods."""
    selector = f"app.kubernetes.io/instance={release},{ENDPOINT}={endpoint}"
    deployments = kube.list("deployments", selector)
    # templates of the chart give Deployment and Service one name and one label
    deployment = deployments[0] if deployments else {"metadata": {}, "spec": {"replicas": 1}, "status": {}}
    status, wanted = deployment.get("status", {}), int(deployment["spec"].get("replicas", 1))
    seen = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 1))
    updated = int(status.get("updatedReplicas", 0))
    found = [p for p in kube.list("pods", f"{selector},{COMPONENT}") if not p["metadata"].get("deletionTimestamp")]
    return Pods(
        names=tuple(sorted(p["metadata"]["name"] for p in found)),
        ready={p["metadata"]["name"]: p["status"]["podIP"] for p in found if _is_ready(p)},
        wanted=wanted,
        current=seen and updated >= wanted and int(status.get("replicas", 0)) == updated,
        hindrance=next(filter(None, (_hindrance(p) for p in found if not _is_ready(p))), ""),
        restarts={p["metadata"]["name"]: sum(c.get("restartCount", 0) for c in _containers(p)) for p in found},
    )


def _is_ready(pod: Object) -> bool:
    conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and bool(pod["status"].get("podIP"))


def _containers(pod: Object) -> list[Object]:
    """Statuses of all containers, native sidecars among them."""
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _hindrance(pod: Object) -> str:
    name = pod["metadata"]["name"]
    for condition in pod["status"].get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{name}: {condition.get('message', 'cannot be scheduled')}"
    for container in _containers(pod):
        state = container.get("state", {})
        last = container.get("lastState", {}).get("terminated") or state.get("terminated")
        if waiting := state.get("waiting"):
            reason = waiting.get("reason", "waiting")
            if reason not in ("PodInitializing", "ContainerCreating"):
                return f"{name}: container {container['name']} is in {reason}"
        if last and last.get("exitCode"):
            return f"{name}: container {container['name']} ended with exit code {last['exitCode']}"
    unready = [c["name"] for c in _containers(pod) if "running" in c.get("state", {}) and not c.get("ready")]
    return f"{name}: {', '.join(unready)} not ready" if unready else ""
