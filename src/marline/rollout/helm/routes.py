"""The weights in a release's HTTPRoute: read, and written at once, before Helm makes them its own values."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping

from marline.errors import MarlineError
from marline.rollout.helm.releases import Revision
from marline.rollout.kube import Kube, Object

LABEL = "marline.dev/endpoint"
# the name under which Helm writes: whoever writes a field under another one takes it from Helm
MANAGER = "helm"
_SHARED = re.compile(r"/predictions/[^/]+")


def route_of(revision: Revision) -> Object:
    """The HTTPRoute of a release, as its manifest has it.

    Raises:
        MarlineError: where it has none.
    """
    found = revision.objects("HTTPRoute")
    if not found:
        raise MarlineError(
            f"release {revision.name}: has no HTTPRoute, so there are no weights to change; add `routes:` to the release "
            "file and install it with `helm upgrade`"
        )
    return found[0]


def services(revision: Revision) -> dict[str, str]:
    """Endpoint to the name of its Service."""
    labelled = ((item["metadata"].get("labels", {}).get(LABEL), item) for item in revision.objects("Service"))
    return {endpoint: item["metadata"]["name"] for endpoint, item in labelled if endpoint}


def live_weights(kube: Kube, revision: Revision) -> dict[str, int]:
    """What the cluster's HTTPRoute gives each endpoint, in percent.

    Raises:
        MarlineError: where the cluster has none.
    """
    name = route_of(revision)["metadata"]["name"]
    live = kube.get("httproutes", name)
    if live is None:
        raise MarlineError(
            f"httproutes/{name} in namespace {kube.namespace}: is gone, though release {revision.name} has it; "
            "`helm rollback` or `helm upgrade` makes it again"
        )
    endpoints = {service: endpoint for endpoint, service in services(revision).items()}
    return {
        endpoints[backend["name"]]: int(backend.get("weight", 1))
        for rule in _weighted(live)
        for backend in rule["backendRefs"]
        if backend["name"] in endpoints
    }


def write_weights(kube: Kube, revision: Revision, weights: Mapping[str, int]) -> None:
    """Write weights into the cluster's HTTPRoute, all in one change, under Helm's name.

    Args:
        kube: the release's namespace.
        revision: of the release, whose HTTPRoute is written with other weights.
        weights: by endpoint; an endpoint that is not named keeps what the revision has.
    """
    route = copy.deepcopy(route_of(revision))
    names = services(revision)
    wanted = {names[endpoint]: weight for endpoint, weight in weights.items() if endpoint in names}
    for rule in _weighted(route):
        for backend in rule["backendRefs"]:
            backend["weight"] = wanted.get(backend["name"], backend.get("weight", 1))
    name = route["metadata"]["name"]
    if not revision.server_side:
        kube.patch("httproutes", name, {"spec": {"rules": route["spec"]["rules"]}}, MANAGER)
        return
    # Helm adds these itself, and what an apply leaves out is taken away
    own = {"meta.helm.sh/release-name": revision.name, "meta.helm.sh/release-namespace": kube.namespace}
    route["metadata"]["annotations"] = {**(route["metadata"].get("annotations") or {}), **own}
    kube.apply("httproutes", route, MANAGER)


def _weighted(route: Object) -> Iterator[Object]:
    """The rules that share requests out: those for a model's own path, with no header."""
    for rule in route["spec"]["rules"]:
        first = (rule.get("matches") or [{}])[0]
        if not first.get("headers") and _SHARED.fullmatch(first.get("path", {}).get("value", "")):
            yield rule
