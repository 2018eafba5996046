"""Values that must be refused: what is laid over a scenario, and what the refusal has to say.

A schema's message names the key as a path, `/variants/onnx-int8-static/server/workers`; a rule's message is a sentence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chart.rendering import ENDPOINT

SHA = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


@dataclass(frozen=True)
class Wrong:
    """One wrong set of values over a scenario (None: over the chart's defaults) and parts of its refusal."""

    name: str
    values: dict[str, Any]
    says: tuple[str, ...]
    scenario: str | None = "minimal"

    @property
    def text(self) -> str:
        """The values as YAML."""
        return json.dumps(self.values)


def schema(name: str, path: str, value: Any, says: str, item: str = "") -> Wrong:
    """A value that the schema refuses; ``path`` is its place, ``V`` stands for the variant, ``item`` is within it."""
    return Wrong(name, _at(path, value), (f"at '/{_place(path)}{item}'", says))


def unknown(name: str, path: str, key: str) -> Wrong:
    """A key that the schema does not know, in the map at ``path``."""
    place = f"/{_place(path)}" if path else ""
    return Wrong(name, _at(f"{path}/{key}".lstrip("/"), 1), (f"at '{place}'", f"'{key}' not allowed"))


def rule(name: str, values: dict[str, Any], *says: str, scenario: str | None = "minimal") -> Wrong:
    """A value that a rule between keys refuses."""
    return Wrong(name, values, says, scenario)


def variant(**keys: Any) -> dict[str, Any]:
    """Values of the one variant of most scenarios."""
    return {"variants": {ENDPOINT: keys}}


def _place(path: str) -> str:
    return path.replace("V", f"variants/{ENDPOINT}")


def _at(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split("/")):
        value = {"variants": {ENDPOINT: value}} if key == "V" else {key: value}
    result: dict[str, Any] = value
    return result


V = f"variants.{ENDPOINT}"
TYPES = (
    schema("workers is text", "V/server/workers", "two", "want integer"),
    schema("workers is a fraction", "V/server/workers", 1.5, "want integer"),
    schema("no worker", "V/server/workers", 0, "minimum: got 0, want 1"),
    schema("no thread", "defaults/server/threads", 0, "minimum: got 0, want 1"),
    schema("a delay below none", "V/server/maxBatchDelayMs", -1, "minimum: got -1, want 0"),
    schema("a heap too small for a JVM", "V/server/heapMb", 16, "minimum: got 16, want 64"),
    schema("an endless response", "V/server/responseTimeoutSeconds", 4000, "maximum: got 4,000, want 3,600"),
    schema("replicas is text", "V/replicas", "3", "want integer"),
    schema("weight above 100", "V/weight", 150, "maximum: got 150, want 100"),
    schema("a version that is no semver", "V/version", "1.0", "does not match pattern"),
    schema("a version with a plus", "V/version", "1.0.0+int8", "does not match pattern"),
    schema("a model that is no path segment", "V/model", "Sentiment!", "does not match pattern"),
    schema("a short sha256", "V/archive/sha256", "5f70bf18", "does not match pattern"),
    schema("an unknown source", "V/archive/source", "git", "value must be one of"),
    schema("a path outside of /archives", "V/archive/path", "/srv/a.mar", "does not match pattern"),
    schema("a path that climbs", "V/archive/path", "/archives/../a.mar", "does not match pattern"),
    schema("a url that is none", "V/archive/url", "models/a.mar", "does not match pattern"),
    schema("a bad digest", "image/digest", "sha256:12", "does not match pattern"),
    schema("a bad pull policy", "image/pullPolicy", "Sometimes", "value must be one of"),
    schema("a CPU of no known unit", "V/resources/server/limits/cpu", "2 cores", "anyOf"),
    schema("memory of no known unit", "V/resources/server/limits/memory", "1GB", "anyOf"),
    schema("a body larger than TorchServe takes", "front/maxBodyBytes", 10_000_000, "maximum"),
    schema("front.enabled is text", "front/enabled", "yes", "want boolean"),
    schema("no drain", "drain/seconds", 0, "minimum: got 0, want 1"),
    schema("a directory without room", "V/storage/run", "0", "does not match pattern"),
    schema("a directory without room, with a unit", "V/storage/tmp", "0.0Gi", "does not match pattern"),
    schema("a pod label that Kubernetes refuses", "V/podLabels", {"team": "a b"}, "does not match pattern", "/team"),
    schema("a port out of range", "service/port", 70000, "maximum: got 70,000, want 65,535"),
    schema("a CPU feature in the kernel's spelling", "V/cpuFeatures", ["avx2"], "does not match pattern", "/0"),
    schema("scale to zero", "V/autoscaling/minReplicas", 0, "minimum: got 0, want 1"),
    schema("a target of zero", "V/autoscaling/cpu/targetUtilization", 0, "minimum: got 0, want 1"),
    schema("a hostname with a port", "routes/hostnames", ["example.com:80"], "does not match pattern", "/0"),
    schema("a hostname in capitals", "ingress/hosts", ["Example.com"], "does not match pattern", "/0"),
    schema("a timeout as the Gateway API writes it", "routes/timeouts/requestSeconds", "60s", "want integer"),
    schema("a Gateway without name", "routes/parentRefs", [{"namespace": "x"}], "missing property 'name'", "/0"),
    schema("a certificate without Secret", "ingress/tls", [{"hosts": []}], "missing property 'secretName'", "/0"),
    schema("an unknown policy", "V/autoscaling/behavior/scaleUp/selectPolicy", "Some", "value must be one of"),
)

UNKNOWN = (
    unknown("an unknown key of the chart", "", "replicaCount"),
    unknown("an unknown key of a variant", "V", "replicaCount"),
    unknown("an unknown key of the server", "V/server", "worker"),
    unknown("a snake_case key", "V/server", "batch_size"),
    unknown("an unknown key of the defaults", "defaults", "front"),
    unknown("an unknown key of the image", "image", "version"),
    unknown("an unknown key of the archive", "V/archive", "md5"),
    unknown("an unknown container", "V/resources", "worker"),
    unknown("an unknown resource", "V/resources/server/limits", "gpu"),
    unknown("an unknown key of the autoscaler", "V/autoscaling", "targetCPUUtilizationPercentage"),
    unknown("an unknown key of the routes", "routes", "parents"),
    unknown("an unknown key of the Ingress", "ingress", "ingressClassName"),
    unknown("an endpoint that is no DNS label", "variants", "Int8_Static"),
    Wrong(
        "a variant without its server",
        variant(server=None),
        (f"at '/variants/{ENDPOINT}/server'", "got null, want object"),
    ),
)
IMAGE = (
    rule(
        "nothing at all",
        {},
        "variants is empty",
        "image.repository is empty",
        "`make image`",
        "`marline release`",
        scenario=None,
    ),
    rule(
        "no image",
        {"image": {"repository": "", "digest": ""}},
        "image.repository is empty",
        "`make image`",
        "`marline release`",
    ),
    rule("an image without tag and digest", {"image": {"digest": ""}}, "image.tag and image.digest are both empty"),
    rule("a tag that moves", {"image": {"digest": "", "tag": "latest"}}, "image.tag is latest, which moves"),
    rule(
        "a variant's other image without tag and digest",
        variant(image={"repository": "registry.example.com/other"}),
        f"{V}.image.tag and {V}.image.digest are both empty",
    ),
    rule(
        "an Envoy without tag and digest",
        {"front": {"image": {"repository": "docker.io/envoyproxy/envoy"}}},
        "front.image.tag and front.image.digest are both empty",
    ),
)
BETWEEN_VARIANTS = (
    rule("unknown primary", {"primary": "gold"}, "primary is gold", f"allowed are {ENDPOINT}"),
    rule("no primary", {"primary": ""}, "primary is empty with 2 variants", "canary, stable", scenario="two-variants"),
    rule(
        "weights that do not add up",
        {"variants": {"canary": {"weight": 20}}},
        "variants.*.weight: the weights of all variants add up to 110; they have to add up to 100",
        scenario="two-variants",
    ),
    rule("a single variant with a part of the weight", variant(weight=50), "variants.*.weight", "add up to 50"),
    rule(
        "a variant without weight",
        {"primary": ENDPOINT, "variants": {ENDPOINT: {"weight": 100}, "canary": {"archive": {"sha256": SHA}}}},
        "variants.canary.weight is missing",
    ),
    rule(
        "one version with two archives",
        {"variants": {"canary": {"version": "1.0.0", "variant": ENDPOINT}}},
        ".archive.sha256 differs from that of another endpoint",
        "a version never changes",
        scenario="two-variants",
    ),
)
WITHIN_A_VARIANT = (
    rule(
        "nothing of a variant",
        {"variants": {"a": {}}, "primary": ENDPOINT},
        *(f"variants.a.{key} is missing" for key in ("model", "version", "variant", "archive")),
    ),
    rule(
        "no digest of the archive",
        {"variants": {"a": {"archive": {}}}, "primary": "a"},
        "variants.a.archive is missing",
    ),
    rule(
        "an archive without digest",
        {"variants": {"a": {"archive": {"source": "image"}}}, "primary": "a"},
        "variants.a.archive.sha256 is missing",
    ),
    rule("a claim without name", variant(archive={"source": "pvc"}), f"{V}.archive.claimName is missing"),
    rule("a host path without path", variant(archive={"source": "hostPath"}), f"{V}.archive.hostPath is missing"),
    rule("a download without url", variant(archive={"source": "url"}), f"{V}.archive.url is missing"),
    rule(
        "the claim of another source",
        variant(archive={"claimName": "models"}),
        f"{V}.archive.claimName belongs to source pvc, and {V}.archive.source is image",
    ),
    rule(
        "credentials of another source",
        variant(archive={"envFrom": [{"secretRef": {"name": "s3"}}]}),
        f"{V}.archive.envFrom belongs to source url",
    ),
    rule(
        "threads over the limit",
        variant(server={"workers": 2, "threads": 2}, resources={"server": {"limits": {"cpu": "3"}}}),
        f"{V}.server.threads: workers 2 x threads 2 is 4, more than resources.server.limits.cpu 3 rounded up",
    ),
    rule(
        "threads over a limit in thousandths",
        variant(server={"threads": 2}, resources={"server": {"limits": {"cpu": "1000m"}}}),
        f"{V}.server.threads: workers 1 x threads 2 is 2, more than resources.server.limits.cpu 1000m",
    ),
    rule(
        "workers over the memory",
        variant(server={"workers": 3}, resources={"server": {"limits": {"memory": "1Gi"}}}),
        f"{V}.resources.server.limits.memory 1Gi is less than server.heapMb 256 + server.workers 3 x server.workerMemoryMb 384 = 1408 MiB",
    ),
    rule(
        "a CPU request over the limit",
        variant(resources={"server": {"requests": {"cpu": 2}}}),
        f"{V}.resources.server.requests.cpu 2 is more than resources.server.limits.cpu 1",
    ),
    rule(
        "a memory request over the limit, in other units",
        variant(resources={"agent": {"requests": {"memory": "200M"}}}),
        f"{V}.resources.agent.requests.memory 200M is more than resources.agent.limits.memory 128Mi",
    ),
    rule(
        "a front with too little memory",
        variant(resources={"front": {"limits": {"memory": "63Mi"}, "requests": {"memory": "63Mi"}}}),
        f"{V}.resources.front.limits.memory 63Mi is not between 64Mi and 64Gi",
    ),
    rule(
        "a front without a limit",
        {"defaults": {"resources": {"front": {"limits": {"memory": None}}}}},
        "defaults.resources.front.limits.memory is null or empty",
    ),
    rule(
        "a batch larger than the queue",
        variant(server={"batchSize": 16, "queueSize": 8}),
        f"{V}.server.batchSize 16 is more than server.queueSize 8",
    ),
    rule(
        "a wait for the batch as long as the response",
        variant(server={"maxBatchDelayMs": 1000, "responseTimeoutSeconds": 1}),
        f"{V}.server.maxBatchDelayMs 1000 is not less than server.responseTimeoutSeconds 1",
    ),
    rule(
        "grace too short",
        variant(terminationGracePeriodSeconds=39),
        f"{V}.terminationGracePeriodSeconds 39 is too short",
        "drain.seconds 5 + server.responseTimeoutSeconds 30 + 5 = 40",
    ),
    rule("a null default", {"defaults": {"server": {"queueSize": None}}}, "defaults.server.queueSize is null or empty"),
    rule(
        "a label of the chart's own",
        variant(podLabels={"marline.dev/endpoint": "other"}),
        f"{V}.podLabels.marline.dev/endpoint is a label of the chart's own",
    ),
    rule(
        "an annotation of the chart's own",
        variant(podAnnotations={"marline.dev/pod.yaml": "x"}),
        f"{V}.podAnnotations.marline.dev/pod.yaml is an annotation of the chart's own",
    ),
)
SCALING = (
    rule(
        "min over max",
        variant(autoscaling={"minReplicas": 5, "maxReplicas": 2}),
        f"{V}.autoscaling.minReplicas 5 is more than autoscaling.maxReplicas 2",
    ),
    rule(
        "both autoscalers",
        variant(autoscaling={"cpu": {"targetUtilization": 50}}),
        f"{V}.autoscaling.queue stands beside autoscaling.cpu",
        "would both own the number of pods",
        scenario="keda",
    ),
    rule(
        "both autoscalers, one by default",
        {"defaults": {"autoscaling": {"memory": {"targetUtilization": 50}}}},
        f"{V}.autoscaling.queue stands beside autoscaling.memory",
        scenario="keda",
    ),
    rule(
        "a queue without Prometheus",
        variant(autoscaling={"enabled": True, "queue": {"target": 4}}),
        f"{V}.autoscaling.queue.prometheusAddress is missing",
    ),
    rule(
        "a queue without target",
        variant(autoscaling={"enabled": True, "queue": {"prometheusAddress": "http://prometheus:9090"}}),
        f"{V}.autoscaling.queue.target is missing",
    ),
    rule("an empty queue", variant(autoscaling={"queue": {}}), f"{V}.autoscaling.queue.target is missing"),
    rule(
        "a target above the limit",
        variant(autoscaling={"memory": {"targetUtilization": 120}}),
        f"{V}.autoscaling.memory.targetUtilization 120 is a percentage of the request 896Mi",
        "never be reached",
    ),
    rule(
        "a budget that says two things",
        variant(disruptionBudget={"maxUnavailable": 1}),
        f"{V}.disruptionBudget.minAvailable and disruptionBudget.maxUnavailable are both given",
        scenario="production",
    ),
    rule(
        "a budget that keeps every pod",
        variant(disruptionBudget={"minAvailable": 3}),
        f"{V}.disruptionBudget.minAvailable 3 leaves no pod of 3 that may go",
        scenario="production",
    ),
    rule(
        "a budget that keeps the only pod of an autoscaler",
        variant(autoscaling={"enabled": True}, disruptionBudget={"minAvailable": 1}),
        f"{V}.disruptionBudget.minAvailable 1 leaves no pod of 1 that may go",
    ),
    rule(
        "a budget whose percentage rounds up to all",
        variant(replicas=3, disruptionBudget={"minAvailable": "90%"}),
        f"{V}.disruptionBudget.minAvailable 90% leaves no pod of 3 that may go",
    ),
    rule(
        "a budget of all",
        variant(disruptionBudget={"minAvailable": "100%"}),
        f"{V}.disruptionBudget.minAvailable 100% leaves no pod",
    ),
    rule(
        "a budget of none",
        variant(disruptionBudget={"maxUnavailable": 0}),
        f"{V}.disruptionBudget.maxUnavailable 0 lets no pod go",
    ),
)
ROUTES = (
    rule("routes to no Gateway", {"routes": {"parentRefs": []}}, "routes.parentRefs is empty", scenario="routes"),
    rule(
        "two ways in",
        {"ingress": {"enabled": True}},
        "routes.enabled and ingress.enabled are both true",
        scenario="routes",
    ),
    rule(
        "a share for no pods",
        {"variants": {"canary": {"replicas": 0}}},
        "variants.canary.replicas is 0 and its weight 10",
        "set its weight to 0 first",
        scenario="routes",
    ),
    rule(
        "a gateway less patient than the pods",
        {"routes": {"timeouts": {"requestSeconds": 29, "backendRequestSeconds": 29}}},
        "routes.timeouts.requestSeconds 29 is less than variants.canary.server.responseTimeoutSeconds 30",
        "routes.timeouts.backendRequestSeconds 29 is less than variants.stable.server.responseTimeoutSeconds 30",
        scenario="routes",
    ),
    rule(
        "an attempt longer than the request",
        {"routes": {"timeouts": {"requestSeconds": 50}}},
        "routes.timeouts.backendRequestSeconds 60 is more than routes.timeouts.requestSeconds 50",
        scenario="routes",
    ),
    rule(
        "more than an HTTPRoute holds",
        {"variants": {f"v{n}": {"version": f"2.0.{n}", "variant": "x", "weight": 0, "archive": {"sha256": SHA}} for n in range(5)}},
        "routes: 8 variants of 1 model need 17 rules, and an HTTPRoute has at most 16",
        scenario="routes",
    ),
    rule(
        "more than an HTTPRoute holds without a front",
        {
            "front": {"enabled": False},
            "variants": {f"v{n}": {"model": f"m{n}", "version": "1.0.0", "variant": "x", "weight": 0, "archive": {"sha256": SHA}} for n in range(2)},
        },
        "routes: 5 variants of 3 models need 18 rules",
        scenario="routes",
    ),
    rule(
        "a certificate for another name",
        {"ingress": {"hosts": ["other.example.com"]}},
        "ingress.tls.0.hosts names sentiment.example.com, which is no entry of ingress.hosts: allowed are other.example.com",
        scenario="ingress",
    ),
)
OF_THE_CHART = (
    rule("an account that is not there", {"serviceAccount": {"create": False}}, "serviceAccount.name is empty"),
    rule("a name that no Service can have", {"fullnameOverride": "1st"}, "fullnameOverride is needed", "1st does not"),
    rule(
        "headers slower than the request",
        {"front": {"headersTimeoutSeconds": 31}},
        "front.headersTimeoutSeconds 31 is more than front.requestTimeoutSeconds 30",
    ),
)
WRONG = (*TYPES, *UNKNOWN, *IMAGE, *BETWEEN_VARIANTS, *WITHIN_A_VARIANT, *SCALING, *ROUTES, *OF_THE_CHART)
