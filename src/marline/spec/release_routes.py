"""The ways in to a release: routes of a Gateway, or an Ingress."""

from __future__ import annotations

from pydantic import Field, model_validator

from marline.spec import release_rules as rules
from marline.spec.base import Strict
from marline.spec.release_names import Hostname, Namespace, ObjectName, Seconds


class Gateway(Strict):
    """A Gateway of the cluster, or one of its listeners."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: Namespace | None = Field(default=None, description="Its namespace; the release's if absent.")
    section_name: ObjectName | None = Field(default=None, description="One listener; all that allow it if absent.")
    port: int | None = Field(default=None, ge=1, le=65535, description="The listeners of this port.")
    group: str | None = Field(default=None, description="Another API group than gateway.networking.k8s.io.")
    kind: str | None = Field(default=None, min_length=1, description="Another kind than Gateway.")


class RouteTimeouts(Strict):
    """How long a gateway waits, where it can."""

    request_s: Seconds | None = Field(default=None, description="For a request as a whole.")
    backend_request_s: Seconds | None = Field(default=None, description="For one attempt at a pod.")

    @model_validator(mode="after")
    def _attempt_within_request(self) -> RouteTimeouts:
        rules.require(rules.timeouts(self))
        return self


class Routes(Strict):
    """An HTTPRoute over all endpoints: by weight, and each by its version, by header and by path."""

    parent_refs: list[Gateway] = Field(min_length=1, max_length=32, description="The Gateways it belongs to.")
    hostnames: list[Hostname] = Field(
        default_factory=list, max_length=16, description="Names that requests are for; the listeners' if absent."
    )
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of the HTTPRoute.")
    timeouts: RouteTimeouts = Field(default=RouteTimeouts(), description="How long the gateway waits.")


class Certificate(Strict):
    """A Secret with a certificate."""

    hosts: list[Hostname] = Field(default_factory=list, description="The names that it is for.")
    secret_name: ObjectName = Field(description="Name of the Secret.")


class Ingress(Strict):
    """An Ingress to the primary endpoint, for a cluster without a Gateway; it knows no weights."""

    class_name: ObjectName | None = Field(default=None, description="IngressClass; the cluster's default if absent.")
    hosts: list[Hostname] = Field(default_factory=list, description="Names that requests are for; all if absent.")
    tls: list[Certificate] = Field(default_factory=list, description="Certificates.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of the Ingress.")

    @model_validator(mode="after")
    def _certificates_for_its_hosts(self) -> Ingress:
        rules.require(rules.certificates(self))
        return self
