"""Values that must be refused because Flagger shifts the requests."""

from __future__ import annotations

from chart.rendering import ENDPOINT
from chart.wrong_values import SHA, V, rule, schema, unknown, variant

OTHER = {"model": "sentiment", "version": "1.0.0", "variant": "x", "archive": {"sha256": SHA}, "weight": 0}


def _named(name: str) -> dict[str, object]:
    """A release with one endpoint of this name."""
    return {
        "image": {"repository": "r.example/x", "tag": "1"},
        "variants": {name: OTHER | {"weight": 100}},
        "routes": {"parentRefs": [{"name": "public"}]},
        "flagger": {"enabled": True, "prometheusAddress": "http://prometheus:9090"},
    }


FLAGGER = (
    schema("an interval that Flagger would not keep", "flagger/intervalSeconds", 5, "minimum: got 5, want 10"),
    schema("a step of nothing", "flagger/weights", [0, 50], "minimum: got 0, want 1", "/0"),
    schema("no step", "flagger/weights", [], "minItems: got 0, want 1"),
    schema("a ratio that the same version misses", "flagger/limits/p95Ratio", 0.5, "minimum"),
    schema("an agreement in percent", "flagger/replay/minAgreement", 97, "maximum: got 97, want 1"),
    schema("a Prometheus without scheme", "flagger/prometheusAddress", "prometheus:9090", "does not match pattern"),
    unknown("an unknown key of Flagger", "flagger", "stepWeights"),
    unknown("an unknown limit", "flagger/limits", "p99"),
    rule(
        "two variants for Flagger",
        {"primary": ENDPOINT, "variants": {ENDPOINT: {"weight": 100}, "other": OTHER}},
        "flagger.enabled: there are 2 variants and Flagger takes one",
        scenario="flagger",
    ),
    rule("Flagger without Prometheus", {"flagger": {"prometheusAddress": ""}}, "flagger.prometheusAddress is empty", scenario="flagger"),
    rule("Flagger without a Gateway", {"routes": {"parentRefs": []}}, "routes.parentRefs is empty", scenario="flagger"),
    rule(
        "two that write the HTTPRoute",
        {"routes": {"enabled": True}},
        "routes.enabled and flagger.enabled are both true",
        scenario="flagger",
    ),
    rule(
        "a way past Flagger",
        {"ingress": {"enabled": True}},
        "ingress.enabled and flagger.enabled are both true",
        "set ingress.enabled to false",
        scenario="flagger",
    ),
    rule("nothing to judge by", {"front": {"enabled": False}}, "front.enabled is false", "keep it", scenario="flagger"),
    rule(
        "a Service that Flagger does not make",
        {"service": {"type": "NodePort"}},
        "service.type is NodePort: Flagger makes the Services",
        scenario="flagger",
    ),
    rule(
        "a timeout that Flagger does not write",
        {"routes": {"timeouts": {"backendRequestSeconds": 60}}},
        "routes.timeouts.backendRequestSeconds: Flagger writes",
        scenario="flagger",
    ),
    rule(
        "a gateway less patient than Flagger's pods",
        {"routes": {"timeouts": {"requestSeconds": 29}}},
        f"routes.timeouts.requestSeconds 29 is less than {V}.server.responseTimeoutSeconds 30",
        scenario="flagger",
    ),
    rule(
        "a step back",
        {"flagger": {"weights": [10, 50, 50]}},
        "flagger.weights: 50 comes after 50; each step gives the new version more",
        scenario="flagger",
    ),
    rule(
        "a number of pods that Flagger would undo",
        variant(replicas=3, autoscaling={"enabled": False}),
        f"{V}.replicas is 3: with flagger.enabled the number is Flagger's",
        scenario="flagger",
    ),
    rule(
        "a queue of both versions",
        variant(autoscaling={"queue": {"target": 4, "prometheusAddress": "http://prometheus:9090"}}),
        f"{V}.autoscaling.queue: its query counts the requests of both versions",
        scenario="flagger",
    ),
    rule(
        "the label of the two versions",
        variant(podLabels={"app": "mine"}),
        f"{V}.podLabels.app: with flagger.enabled this label tells the two versions apart",
        scenario="flagger",
    ),
    *(
        rule(
            f"an endpoint called {name}",
            _named(name),
            f"variants.{name}: with flagger.enabled no endpoint is called {name}",
            scenario=None,
        )
        for name in ("primary", "canary", "replay")
    ),
    rule(
        "a name that a pod's name would cut",
        _named("e" * 29),
        "has 47 characters: with flagger.enabled at most 46",
        scenario=None,
    ),
)  # fmt: skip
