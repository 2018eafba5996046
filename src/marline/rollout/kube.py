"""The API server, as plain objects: the official client's way in, and one function per verb."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marline.errors import MarlineError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]
# kinds that a rollout reads or writes: resource -> where the API server has it
GROUPS = {
    "configmaps": "api/v1",
    "pods": "api/v1",
    "secrets": "api/v1",
    "serviceaccounts": "api/v1",
    "services": "api/v1",
    "deployments": "apis/apps/v1",
    "jobs": "apis/batch/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "httproutes": "apis/gateway.networking.k8s.io/v1",
    "rolebindings": "apis/rbac.authorization.k8s.io/v1",
    "roles": "apis/rbac.authorization.k8s.io/v1",
}
SECONDS = (3.0, 15.0)
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Unavailable(MarlineError):
    """The API server did not answer, or asks to be asked again; the same call may succeed later."""


class Conflict(MarlineError):
    """The object is there already, or was changed since it was read."""


class Kube:
    """One namespace of a cluster.

    Args:
        client: of the ``kubernetes`` package, which knows address and credentials.
        namespace: of all objects.
    """

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self.client, self.namespace = client, namespace

    @classmethod
    def connect(cls, namespace: str) -> Kube:
        """As a pod's ServiceAccount inside a cluster, else as kubectl would.

        Raises:
            MarlineError: where there is neither, or the ``kubernetes`` package is missing.
        """
        try:
            from kubernetes import client, config
        except ModuleNotFoundError as error:
            raise MarlineError(
                f"a rollout needs the package {error.name}, which is not installed: `pip install 'marline[rollout]'`"
            ) from error
        settings = client.Configuration()
        try:
            # as Helm decides it: a pod may be told to work on another cluster
            if os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser().is_file():
                config.load_kube_config(client_configuration=settings)
            else:
                config.load_incluster_config(settings)
        except (config.ConfigException, OSError) as error:
            raise MarlineError(
                f"no cluster: {error}; name one with the environment variable KUBECONFIG, as for kubectl"
            ) from error
        # whoever repeats a call here knows what for
        settings.retries = False
        return cls(client.ApiClient(settings), namespace)

    def get(self, resource: str, name: str) -> Object | None:
        """One object; None where there is none."""
        return self._call("GET", resource, name, missing=True)

    def list(self, resource: str, selector: str = "") -> list[Object]:
        """All objects that a label selector matches."""
        query = {"labelSelector": selector} if selector else {}
        items = (self._call("GET", resource, query=query) or {}).get("items")
        return list(items or [])

    def create(self, resource: str, body: Object) -> Object:
        """Make a new object.

        Raises:
            Conflict: where it is there already.
        """
        return self._call("POST", resource, body=body) or {}

    def replace(self, resource: str, body: Object) -> Object:
        """Write an object that was read.

        Raises:
            Conflict: where somebody wrote it since.
        """
        return self._call("PUT", resource, body["metadata"]["name"], body=body) or {}

    def patch(self, resource: str, name: str, body: Object, manager: str) -> Object:
        """Change some fields (merge patch)."""
        return self._call("PATCH", resource, name, body=body, kind=MERGE, query={"fieldManager": manager}) or {}

    def apply(self, resource: str, body: Object, manager: str) -> Object:
        """Make an object as it should be (server-side apply)."""
        query = {"fieldManager": manager, "force": "true"}
        return self._call("PATCH", resource, body["metadata"]["name"], body=body, kind=APPLY, query=query) or {}

    def delete(self, resource: str, name: str) -> None:
        """Take an object away, and in the background what it owns; one that is not there is no error."""
        self._call("DELETE", resource, name, missing=True, query={"propagationPolicy": "Background"})

    def _call(
        self,
        method: str,
        resource: str,
        name: str = "",
        *,
        body: Object | None = None,
        kind: str = "application/json",
        query: dict[str, str] | None = None,
        missing: bool = False,
    ) -> Object | None:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        path = f"/{GROUPS[resource]}/namespaces/{self.namespace}/{resource}" + (f"/{name}" if name else "")
        what = f"{method} {resource}/{name}".rstrip("/") + f" in namespace {self.namespace}"
        headers = {"Accept": "application/json", "Content-Type": kind}
        # the client would take a structure with this content type for something else
        sent = json.dumps(body) if kind == APPLY else body
        try:
            call = self.client.param_serialize(
                method, path, query_params=list((query or {}).items()), header_params=headers, body=sent,
                auth_settings=["BearerToken"],
            )  # fmt: skip
            answer = self.client.call_api(*call, _request_timeout=SECONDS)
            status, text = answer.status, answer.read() or b""
        except ApiException as error:
            status, text = error.status, str(error.body or error.reason).encode()
            if not status:
                raise Unavailable(f"{what}: the API server does not answer ({error.reason})") from error
        except (HTTPError, OSError) as error:
            raise Unavailable(f"{what}: the API server does not answer ({error})") from error
        if status == 404 and missing:
            return None
        if not 200 <= status < 300:
            raise _refused(what, status, text)
        found: Object = json.loads(text)
        return found


def _refused(what: str, status: int, text: bytes) -> MarlineError:
    """What the API server says to a request that it does not fulfil."""
    try:
        said = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        said = " ".join(text[:200].decode(errors="replace").split())
    if status == 409:
        return Conflict(f"{what}: {said}")
    # too many requests, and a server that starts or ends
    if status == 429 or status >= 500:
        return Unavailable(f"{what}: the API server answers {status} ({said})")
    if status in (401, 403):
        return MarlineError(f"{what}: not allowed ({said}); give the account that asks this right")
    return MarlineError(f"{what}: the API server answers {status} ({said})")
