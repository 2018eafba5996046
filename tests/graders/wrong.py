"""Manifests that are wrong in one way each: a scenario's render with one change, and who has to object."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from chart.rendering import Manifest, Objects

Change = Callable[[Objects], Any]


@dataclass(frozen=True)
class Wrong:
    """One change.

    Attributes:
        grader: who has to object.
        check: by which check.
        text: a part of what it says.
        change: changes the objects.
        scenario: which render is changed.
    """

    grader: str
    check: str
    text: str
    change: Change
    scenario: str = "minimal"

    def applied(self, objects: Objects) -> Objects:
        """The objects with the change; the given ones stay as they are."""
        changed = Objects(deepcopy(list(objects)))
        self.change(changed)
        return changed


def template(objects: Objects) -> Manifest:
    """The Deployment's template of a pod."""
    found: Manifest = objects.one("Deployment")["spec"]["template"]
    return found


def pod(objects: Objects) -> Manifest:
    """The Deployment's pod."""
    found: Manifest = template(objects)["spec"]
    return found


def front(objects: Objects) -> Manifest:
    """The main container."""
    found: Manifest = pod(objects)["containers"][0]
    return found


def agent(objects: Objects) -> Manifest:
    """The first sidecar."""
    found: Manifest = pod(objects)["initContainers"][0]
    return found


def security(**fields: Any) -> Change:
    """The main container with other fields of its security context."""
    return lambda o: front(o)["securityContext"].update(fields)


def annotation(key: str, value: str) -> Change:
    """The pod with another annotation."""
    return lambda o: template(o)["metadata"]["annotations"].update({f"marline.dev/{key}": value})


def volume(**source: Any) -> Change:
    """The pod with one more volume."""
    return lambda o: pod(o)["volumes"].append({"name": "more", **source})


def scaler(kind: str) -> Change:
    """One more autoscaler of the Deployment."""
    return lambda o: o.append(
        {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": "more"},
            "spec": {"scaleTargetRef": {"name": o.one("Deployment")["metadata"]["name"]}, "metrics": []},
        }
    )


def metric(objects: Objects) -> Manifest:
    """The first metric of the autoscaler."""
    found: Manifest = objects.one("HorizontalPodAutoscaler")["spec"]["metrics"][0]
    return found


def fewest(objects: Objects) -> None:
    """An autoscaler that may leave a single pod."""
    objects.one("HorizontalPodAutoscaler")["spec"]["minReplicas"] = 1


def share(objects: Objects) -> Manifest:
    """The first endpoint with a share of the requests."""
    found: Manifest = objects.one("HTTPRoute")["spec"]["rules"][-1]["backendRefs"][0]
    return found


def without_pods(objects: Objects) -> None:
    """A share for an endpoint that has none."""
    objects.one("Deployment", share(objects)["name"])["spec"]["replicas"] = 0


def door(objects: Objects) -> Manifest:
    """Where the Ingress leads."""
    found: Manifest = objects.one("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    return found


def policy(check: str, text: str, change: Change, scenario: str = "minimal") -> Wrong:
    """Against a policy of our own."""
    return Wrong("conftest", check, text, change, scenario)


TOKEN = {"sources": [{"serviceAccountToken": {"path": "token"}}]}
OTHER = "0" * 64
POLICIES = (
    policy("no-token", "automount", lambda o: pod(o).pop("automountServiceAccountToken")),
    policy("no-token", "automount", lambda o: o.one("ServiceAccount").pop("automountServiceAccountToken")),
    policy("no-token", "projects a token", volume(projected=TOKEN)),
    policy("own-account", "account of its own", lambda o: pod(o).update(serviceAccountName="default")),
    policy("no-rights", "no rights", lambda o: o.append({"kind": "RoleBinding", "metadata": {"name": "more"}})),
    policy("restricted", "readOnlyRootFilesystem has to be true", security(readOnlyRootFilesystem=False)),
    policy("restricted", "drop all", security(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})),
    policy("restricted", "RuntimeDefault", security(seccompProfile={"type": "Unconfined"})),
    policy("high-user", "runAsUser has to be 10000", security(runAsUser=1000)),
    policy("nothing-of-the-node", "hostNetwork", lambda o: pod(o).update(hostNetwork=True)),
    policy("nothing-of-the-node", "volume more", volume(hostPath={"path": "/srv"})),
    policy("nothing-of-the-node", "hostPort 80", lambda o: front(o)["ports"][0].update(hostPort=80)),
    policy("bounded-container", "limits.cpu", lambda o: front(o)["resources"]["limits"].pop("cpu")),
    policy("bounded-directory", "volume more", volume(emptyDir={})),
    policy("memory-is-promised", "differ", lambda o: front(o)["resources"]["requests"].update(memory="1Mi")),
    policy("fixed-image", "x:latest may be", lambda o: front(o).update(image="registry.example.com:5000/x:latest")),
    policy("liveness", "container agent", lambda o: agent(o).pop("livenessProbe")),
    policy("order-of-start", "container agent", lambda o: agent(o).pop("startupProbe")),
    policy("readiness", "ask the agent", lambda o: front(o)["readinessProbe"]["httpGet"].update(path="/ping")),
    policy("archive-digest", "64 hexadecimal", annotation("archive-sha256", "latest")),
    policy("archive-digest", "different archives", annotation("archive-sha256", OTHER)),
    policy("archive-digest", "another digest", lambda o: agent(o)["args"].__setitem__(6, OTHER), "url-archive"),
    policy("own-settings", "own annotation", lambda o: pod(o)["volumes"][0].update(downwardAPI={"items": []})),
    policy("own-settings", "no YAML", annotation("pod.yaml", "{")),
    policy("own-settings", "changes under", volume(configMap={"name": "more"})),
    policy("one-owner", "spec.replicas", lambda o: o.one("Deployment")["spec"].update(replicas=2), "hpa"),
    policy("one-owner", "all scale it", scaler("ScaledObject"), "hpa"),
    policy("scaled-by-the-server", "server", lambda o: metric(o)["containerResource"].update(container="front"), "hpa"),
    policy("grace", "of 34 s; drain and", lambda o: pod(o).update(terminationGracePeriodSeconds=34)),
    policy("drain", "preStop", lambda o: front(o).pop("lifecycle")),
    policy("no-gap", "maxUnavailable 0", lambda o: o.one("Deployment")["spec"].pop("strategy")),
    policy("isolated", "Egress", lambda o: o.of("NetworkPolicy")[0]["spec"].update(policyTypes=["Ingress"])),
    policy("two-ports", "port 8081", lambda o: front(o)["ports"].append({"containerPort": 8081})),
    policy("two-ports", "leads to 8083", lambda o: o.of("Service")[0]["spec"]["ports"][0].update(targetPort=8083)),
    policy("routed-service", "with port 80", lambda o: share(o).update(port=80), "routes"),
    policy("routed-service", "no Service more", lambda o: door(o).update(name="more"), "ingress"),
    policy("whole-shares", "add up to 110", lambda o: share(o).update(weight=20), "routes"),
    policy("share-has-pods", "canary has weight 10", without_pods, "routes"),
    policy("one-way-in", "passes by", lambda o: o.append({"kind": "Ingress", "metadata": {"name": "more"}}), "routes"),
)
OTHERS = (
    Wrong("checkov", "CKV_K8S_16", "privileged", security(privileged=True)),
    Wrong("checkov", "CKV_K8S_9", "Readiness", lambda o: front(o).pop("readinessProbe")),
    Wrong("kube-score", "container-resources", "CPU limit", lambda o: front(o)["resources"]["limits"].pop("cpu")),
    Wrong("kube-score", "pod-networkpolicy", "", lambda o: o.remove(o.of("NetworkPolicy")[0])),
    Wrong("kube-score", "horizontalpodautoscaler-replicas", "", fewest, "hpa"),
    Wrong("kubernetes-validate", "schema", "replicas: 'two'", lambda o: o.one("Deployment")["spec"].update(replicas="two")),
    Wrong("kubernetes-validate", "schema", "'replica'", lambda o: o.one("Deployment")["spec"].update(replica=2)),
    Wrong("kubernetes-validate", "no-schema", "kind Role", lambda o: o.append({"apiVersion": "x.io/v1", "kind": "Role", "metadata": {"name": "x"}})),
)  # fmt: skip
WRONG = POLICIES + OTHERS
