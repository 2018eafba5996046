"""The chart's `routes` and `ingress`, from a release's."""

from __future__ import annotations

from typing import Any

from marline.spec.base import Strict
from marline.spec.release_routes import Ingress, Routes

# the chart writes a key as Kubernetes does, and times with their unit
NAMES = {
    "parent_refs": "parentRefs",
    "section_name": "sectionName",
    "class_name": "className",
    "secret_name": "secretName",
}
NAMES |= {"request_s": "requestSeconds", "backend_request_s": "backendRequestSeconds"}


def routes_values(routes: Routes) -> dict[str, Any]:
    """The chart's `routes`; what the release does not say is left to the chart."""
    return {"enabled": True, **_said(routes)}


def ingress_values(ingress: Ingress) -> dict[str, Any]:
    """The chart's `ingress`."""
    return {"enabled": True, **_said(ingress)}


def _said(part: Strict) -> dict[str, Any]:
    """What was written, under the chart's names."""
    written = {key: getattr(part, key) for key in type(part).model_fields if key in part.model_fields_set}
    return {NAMES.get(key, key): _value(value) for key, value in written.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, Strict):
        return _said(value)
    return [_value(item) for item in value] if isinstance(value, list) else value
