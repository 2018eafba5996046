"""The same in the cluster: a Job that goes on when the terminal is gone."""

from __future__ import annotations

from typing import Any

from marline.rollout.canary.plan import Plan
from marline.rollout.kube import Kube, Object
from marline.spec.release_image import Image

RBAC = "rbac.authorization.k8s.io"
MANAGER = "marline"
# a day: long enough to read its log
KEEP_S = 86400
# the driver ends as soon as it is told to, and goes on in another pod
GRACE_S = 5


def labels(release: str) -> dict[str, str]:
    """Labels of everything that belongs to rollouts of a release."""
    return {
        "app.kubernetes.io/name": "marline-rollout",
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/component": "rollout",
        "app.kubernetes.io/managed-by": "marline",
    }


def start(kube: Kube, account: str, plan: Plan, rules: list[Object], image: Image) -> str:
    """Create the Job, and the account that it runs as.

    Args:
        kube: the release's namespace.
        account: name of the ServiceAccount, its Role and its RoleBinding.
        plan: of the rollout.
        rules: of the Role.
        image: with marline and Helm in it.

    Returns:
        The Job's name.
    """
    metadata = {"name": account, "labels": labels(plan.release)}
    kube.apply("serviceaccounts", {**_kind("v1", "ServiceAccount"), "metadata": metadata}, MANAGER)
    kube.apply("roles", {**_kind(f"{RBAC}/v1", "Role"), "metadata": metadata, "rules": rules}, MANAGER)
    binding = {
        **_kind(f"{RBAC}/v1", "RoleBinding"),
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": plan.namespace}],
    }
    kube.apply("rolebindings", binding, MANAGER)
    kube.create("jobs", job(account, plan, image))
    return name(account, plan)


def name(account: str, plan: Plan) -> str:
    """The Job's name."""
    return f"{account}-{plan.id}"


def job(account: str, plan: Plan, image: Image) -> Object:
    """The Job: one driver, started again for as long as its rollout is not over."""
    own = labels(plan.release)
    container = {
        "name": "rollout",
        "image": _reference(image),
        "imagePullPolicy": image.pull_policy,
        "args": ["marline", "rollout", "run", plan.release, "--namespace", plan.namespace, "--rollout", plan.id],
        "env": [
            # the same driver comes again in the same pod: it need not wait for its own lease
            {"name": "MARLINE_HOLDER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": "50m", "memory": "192Mi", "ephemeral-storage": "32Mi"},
            "limits": {"cpu": "1", "memory": "384Mi", "ephemeral-storage": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "serviceAccountName": account,
        # of this pod alone: whoever else runs as the account gets no token by itself
        "automountServiceAccountToken": True,
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "128Mi"}}],
    }
    if pull := plan.goal.get("imagePullSecrets"):
        pod["imagePullSecrets"] = pull
    return {
        **_kind("batch/v1", "Job"),
        "metadata": {"name": name(account, plan), "labels": own},
        "spec": {
            # however often it is killed, it goes on: the rollout has deadlines of its own
            "backoffLimit": 1_000_000,
            "ttlSecondsAfterFinished": KEEP_S,
            "template": {"metadata": {"labels": own}, "spec": pod},
        },
    }


def _reference(image: Image) -> str:
    tag = f":{image.tag}" if image.tag else ""
    return f"{image.repository}{tag}" + (f"@{image.digest}" if image.digest else "")


def _kind(version: str, kind: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind}
