"""Rules of a release that span keys, each with the path of the key it is about and one sentence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from marline.spec.base import BrokenRules, Problem
from marline.spec.names import VARIANTS

if TYPE_CHECKING:
    from marline.spec.release import Autoscaling, Container, Front, ReleaseVariant
    from marline.spec.release_image import ImageName
    from marline.spec.release_routes import Ingress, RouteTimeouts

# a DNS label, and short enough for a Service's name behind the release's
ENDPOINT_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


def image(spec: ImageName) -> list[Problem]:
    """An image is named by its digest, or at least by a tag that stays."""
    if spec.tag is None and spec.digest is None:
        return [(("tag",), "neither tag nor digest is given; add the digest that `make image` printed, or a tag")]
    if spec.tag == "latest" and spec.digest is None:
        return [(("tag",), "latest moves; give another tag, or the digest besides it")]
    return []


def container(spec: Container) -> list[Problem]:
    """A request is at most its limit."""
    problems: list[Problem] = []
    for name, limit, request in (
        ("cpu_request", spec.cpu, spec.cpu_request),
        ("memory_request_mb", spec.memory_mb, spec.memory_request_mb),
    ):
        if limit is not None and request is not None and request > limit:
            key = name.replace("_request", "")
            problems.append(((name,), f"{request:g} is more than {key} {limit:g}; allowed: {name} <= {key}"))
    return problems


def autoscaling(spec: Autoscaling) -> list[Problem]:
    """Fewest and most in order, and one owner of the number of pods."""
    problems: list[Problem] = []
    if spec.min_replicas > spec.max_replicas:
        sentence = f"{spec.min_replicas} is greater than max_replicas {spec.max_replicas}"
        problems.append((("min_replicas",), f"{sentence}; allowed: min_replicas <= max_replicas"))
    if spec.queue is not None:
        others = [name for name in ("cpu_percent", "memory_percent") if getattr(spec, name) is not None]
        problems += [
            (
                (name,),
                "stands beside queue: KEDA and a HorizontalPodAutoscaler would both own the pods; keep one signal",
            )
            for name in others
        ]
    return problems


def replicas(spec: ReleaseVariant) -> list[Problem]:
    """Either a number of pods or an autoscaler."""
    if spec.replicas is not None and spec.autoscaling is not None:
        return [(("replicas",), "stands beside autoscaling, which owns the number of pods; remove one of the two")]
    return []


def front(spec: Front) -> list[Problem]:
    """Headers are part of the request."""
    if spec.headers_timeout_s > spec.request_timeout_s:
        sentence = f"{spec.headers_timeout_s} is greater than request_timeout_s {spec.request_timeout_s}"
        return [(("headers_timeout_s",), f"{sentence}; allowed: headers_timeout_s <= request_timeout_s")]
    return []


def timeouts(spec: RouteTimeouts) -> list[Problem]:
    """An attempt is part of the request."""
    whole, attempt = spec.request_s, spec.backend_request_s
    if whole is not None and attempt is not None and attempt > whole:
        sentence = f"{attempt} is greater than request_s {whole}"
        return [(("backend_request_s",), f"{sentence}; allowed: backend_request_s <= request_s")]
    return []


def certificates(spec: Ingress) -> list[Problem]:
    """A certificate is for names that the Ingress answers."""
    allowed = ", ".join(spec.hosts) or "none, because hosts is empty"
    return [
        (("tls", str(index), "hosts"), f"{host!r} is no entry of hosts; allowed: {allowed}")
        for index, certificate in enumerate(spec.tls)
        for host in certificate.hosts
        if host not in spec.hosts
    ]


def between_endpoints(data: Mapping[str, Any]) -> list[Problem]:
    """Rules between endpoints, of a file that may have other problems: what is not of its type is passed over.

    Names are DNS labels; variants are those that a build makes; with several endpoints each has a weight and one is
    primary; all weights add up to 100; behind a Gateway none without pods has any; there is one way in.
    """
    variants = data.get("variants")
    if not isinstance(variants, dict) or not variants:
        return []
    return [
        *_names(variants),
        *_artifacts(variants),
        *_weights(variants),
        *_primary(data.get("primary"), list(variants)),
        *_ways_in(data, variants),
    ]


def _names(variants: Mapping[str, Any]) -> list[Problem]:
    wrong = [name for name in variants if not re.fullmatch(ENDPOINT_PATTERN, name)]
    return [(("variants", name), f"{name!r} cannot name a Service; allowed: {ENDPOINT_PATTERN}") for name in wrong]


def _artifacts(variants: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    for name, own in variants.items():
        found = own.get("variant") if isinstance(own, dict) else None
        if isinstance(found, str) and found not in VARIANTS:
            sentence = f"unknown variant {found!r}; {_close(found, VARIANTS)}allowed: {', '.join(VARIANTS)}"
            problems.append((("variants", name, "variant"), sentence))
    return problems


def _weights(variants: Mapping[str, Any]) -> list[Problem]:
    mappings = {name: own for name, own in variants.items() if isinstance(own, dict)}
    without = [name for name, own in mappings.items() if own.get("weight") is None]
    if len(variants) > 1 and without:
        sentence = "required with more than one variant; add it, all weights add up to 100"
        return [(("variants", name, "weight"), sentence) for name in without]
    found = [own["weight"] for own in mappings.values() if type(own.get("weight")) is int]
    if len(found) == len(variants) and sum(found) != 100:
        shown = " + ".join(map(str, found))
        return [(("variants", "*", "weight"), f"{shown} add up to {sum(found)}; allowed: weights that add up to 100")]
    return []


def _primary(primary: Any, endpoints: list[str]) -> list[Problem]:
    allowed = ", ".join(endpoints)
    if primary is None and len(endpoints) > 1:
        return [(("primary",), f"required with more than one variant; allowed: {allowed}")]
    if isinstance(primary, str) and primary not in endpoints:
        return [(("primary",), f"{primary!r} is no key of variants; {_close(primary, endpoints)}allowed: {allowed}")]
    return []


def _ways_in(data: Mapping[str, Any], variants: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    if data.get("routes") is None:
        return problems
    if data.get("ingress") is not None:
        problems.append((("ingress",), "stands beside routes, and would pass by the weights; remove one of the two"))
    for name, own in variants.items():
        weight = own.get("weight", 100) if isinstance(own, dict) else 0
        # not of a truth value, which Python takes for a number
        if type(weight) is int and weight > 0 and type(own.get("replicas")) is int and own["replicas"] == 0:
            sentence = f"0 pods for weight {weight}: the gateway answers that share with 503"
            problems.append(
                (("variants", name, "replicas"), f"{sentence}; release weight 0 first, and 0 replicas after it")
            )
    return problems


def _close(found: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(found, list(known), 1)
    return f"did you mean {close[0]!r}? " if close else ""


def require(problems: list[Problem]) -> None:
    """Go on where no rule is broken.

    Raises:
        BrokenRules: with all of them.
    """
    if problems:
        raise BrokenRules(problems)
