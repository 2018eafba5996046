"""A real API server admits every object of every scenario, by a dry run that refuses unknown and doubled fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import yaml

from chart.rendering import CHART, RELEASE, SCENARIOS, Chart, Manifest
from cluster.api import Cluster
from cluster.binaries import source
from cluster.errors import ClusterError, CommandError

DRY = ("--dry-run=server", "--validate=strict")
WARN = "pod-security.kubernetes.io/warn=restricted"
# a kind that Kubernetes does not know -> program and module that bring its definition, and the file there
DEFINITIONS = {
    "scaledobjects.keda.sh": (
        "keda-operator", "github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_scaledobjects.yaml",
    ),
    "httproutes.gateway.networking.k8s.io": (
        "traefik", "sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    # with its MetricTemplate in the same file
    "canaries.flagger.app": ("flagger", "github.com/fluxcd/flagger", "artifacts/flagger/crd.yaml"),
}  # fmt: skip


@pytest.fixture(scope="module")
def definitions(cluster: Cluster) -> Iterator[None]:
    """The definitions of all kinds that the chart uses; taken away again where the cluster had none."""
    with ExitStack() as stack:
        for kind, (program, module, path) in DEFINITIONS.items():
            if cluster.kubectl("get", "crd", kind, "--ignore-not-found", "-o", "name"):
                continue
            try:
                definition = source(program, module) / path
            except ClusterError as error:
                pytest.skip(f"no definition of {kind}: {error}")
            stack.callback(cluster.kubectl, "delete", "-f", definition, "--timeout=60s")
            # too large for the annotation of a client-side apply
            cluster.kubectl("apply", "--server-side", "-f", definition)
            cluster.kubectl("wait", "--for=condition=Established", "-f", definition, "--timeout=60s")
        yield


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that refuses pods that are not `restricted`, and warns of templates of such."""
    with cluster.namespace("graders", wait=False) as name:
        cluster.kubectl("label", "namespace", name, WARN)
        yield name


def rendered(chart: Chart, scenario: str, namespace: str) -> list[Manifest]:
    """The objects of a scenario in a namespace."""
    options = ["--namespace", namespace, "-f", SCENARIOS[scenario]]
    return [item for item in yaml.safe_load_all(chart.run("template", RELEASE, CHART, *options)) if item]


def dry_run(cluster: Cluster, objects: list[Manifest]) -> str:
    """What kubectl says, warnings of the server included."""
    return cluster.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump_all(objects), check=False)


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_server_admits_every_object_without_a_warning(
    cluster: Cluster, chart: Chart, namespace: str, scenario: str
) -> None:
    objects = rendered(chart, scenario, namespace)
    # a pod is admitted only when its account exists, which no dry run leaves behind
    for account in (item for item in objects if item["kind"] == "ServiceAccount"):
        cluster.apply(yaml.safe_dump(account))
    lines = dry_run(cluster, objects).splitlines()
    assert [line for line in lines if not line.endswith(" (server dry run)")] == []
    assert len(lines) == len(objects)


def deployment(cluster: Cluster, chart: Chart, namespace: str) -> Manifest:
    return next(item for item in rendered(chart, "minimal", namespace) if item["kind"] == "Deployment")


def test_server_refuses_an_unknown_field(cluster: Cluster, chart: Chart, namespace: str) -> None:
    wrong = deployment(cluster, chart, namespace)
    wrong["spec"]["template"]["spec"]["initContainers"][0]["startupProb"] = {}
    with pytest.raises(CommandError, match=r'unknown field "spec.template.spec.initContainers\[0\].startupProb"'):
        cluster.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump(wrong))


def test_server_refuses_an_impossible_value(cluster: Cluster, chart: Chart, namespace: str) -> None:
    wrong = deployment(cluster, chart, namespace)
    wrong["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] = "2Gi"
    with pytest.raises(CommandError, match="must be less than or equal to memory limit"):
        cluster.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump(wrong))


def test_server_warns_of_a_pod_that_is_not_restricted(cluster: Cluster, chart: Chart, namespace: str) -> None:
    wrong = deployment(cluster, chart, namespace)
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert "would violate PodSecurity" in dry_run(cluster, [wrong])


@pytest.mark.usefixtures("definitions")
def test_server_refuses_a_scaled_object_with_an_unknown_field(cluster: Cluster, chart: Chart, namespace: str) -> None:
    wrong = next(item for item in rendered(chart, "keda", namespace) if item["kind"] == "ScaledObject")
    wrong["spec"]["trigers"] = []
    with pytest.raises(CommandError, match="trigers"):
        cluster.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump(wrong))


@pytest.mark.usefixtures("definitions")
def test_server_refuses_an_http_route_with_an_unknown_field(cluster: Cluster, chart: Chart, namespace: str) -> None:
    wrong = next(item for item in rendered(chart, "routes", namespace) if item["kind"] == "HTTPRoute")
    wrong["spec"]["rules"][-1]["backendRefs"][0]["weigth"] = 1
    with pytest.raises(CommandError, match="weigth"):
        cluster.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump(wrong))


@pytest.mark.usefixtures("definitions")
def test_server_refuses_a_canary_with_an_unknown_field(cluster: Cluster, chart: Chart, namespace: str) -> None:
    wrong = next(item for item in rendered(chart, "flagger", namespace) if item["kind"] == "Canary")
    wrong["spec"]["analysis"]["stepWeigths"] = [10]
    with pytest.raises(CommandError, match="stepWeigths"):
        cluster.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump(wrong))


@pytest.mark.usefixtures("definitions")
def test_server_admits_as_many_variants_as_the_chart(cluster: Cluster, chart: Chart, namespace: str) -> None:
    more = {
        f"v{number}": {"version": f"2.0.{number}", "variant": "x", "weight": 0, "archive": {"sha256": f"{number}" * 64}}
        for number in range(4)
    }
    options = ["--namespace", namespace, "-f", SCENARIOS["routes"], "-f", "-", "--show-only", "templates/httproute.yaml"]  # fmt: skip
    route = chart.run("template", RELEASE, CHART, *options, values=json.dumps({"variants": more}))
    assert len(yaml.safe_load(route)["spec"]["rules"]) == 15
    assert dry_run(cluster, [yaml.safe_load(route)]).endswith("created (server dry run)\n")
