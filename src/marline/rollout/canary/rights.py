"""What a rollout's Job may do: its own state, and Helm with the objects of its release by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from marline.rollout.kube import Object

# kinds that the chart has -> API group and resource
KINDS = {
    "Deployment": ("apps", "deployments"),
    "HTTPRoute": ("gateway.networking.k8s.io", "httproutes"),
    "HorizontalPodAutoscaler": ("autoscaling", "horizontalpodautoscalers"),
    "NetworkPolicy": ("networking.k8s.io", "networkpolicies"),
    "PodDisruptionBudget": ("policy", "poddisruptionbudgets"),
    "ScaledObject": ("keda.sh", "scaledobjects"),
    "Service": ("", "services"),
    "ServiceAccount": ("", "serviceaccounts"),
}


def rules(name: str, before: Iterable[Object], later: Iterable[Object]) -> list[dict[str, Any]]:
    """The rules of the Job's Role.

    Two things RBAC cannot name: Helm keeps revisions in new Secrets, and objects that are not there yet.

    Args:
        name: of the rollout's ConfigMap and Lease.
        before: the release's objects when it starts.
        later: those that it will have on the way and in the end.
    """
    names, known = _names(before), _names(later)
    out = [
        _rule("", ["configmaps"], ["get", "update", "patch"], [name]),
        _rule("coordination.k8s.io", ["leases"], ["get", "update"], [name]),
        _rule("", ["secrets"], ["get", "list", "create", "update", "patch", "delete"]),
        _rule("", ["pods"], ["get", "list"]),
        _rule("apps", ["deployments"], ["list"]),
    ]
    for kind, (group, resource) in KINDS.items():
        if every := sorted(names[kind] | known[kind]):
            out.append(_rule(group, [resource], ["get", "patch", "update", "delete"], every))
        # also what the end takes away: the way back may have to make it again
        if known[kind] ^ names[kind]:
            out.append(_rule(group, [resource], ["create"]))
    return out


def _names(objects: Iterable[Object]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for item in objects:
        found[item["kind"]].add(item["metadata"]["name"])
    return found


def _rule(group: str, resources: list[str], verbs: list[str], names: Sequence[str] = ()) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return {**rule, "resourceNames": list(names)} if names else rule
