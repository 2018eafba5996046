"""The manifests for Argo Rollouts in docs/14-other-engines.md: a real API server admits them, and they fit the chart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import yaml

from chart.rendering import ROOT, Chart, selects
from cluster.api import Cluster
from cluster.binaries import Module, downloaded, source
from cluster.errors import ClusterError, CommandError
from graders.test_server_side import DEFINITIONS, dry_run

DOCUMENT = ROOT / "docs" / "14-other-engines.md"
# nothing of it is built
ARGO = Module("tools/argo-rollouts", {})
ROUTES = "httproutes.gateway.networking.k8s.io"
KINDS = {
    "rollouts.argoproj.io": "rollout-crd.yaml",
    "analysistemplates.argoproj.io": "analysis-template-crd.yaml",
}


def written(name: str) -> list[dict[str, Any]]:
    """The documents that a block of the document writes into a file."""
    (text,) = re.findall(rf"^cat > {re.escape(name)} <<'END'\n(.*?)^END$", DOCUMENT.read_text("utf-8"), re.S | re.M)
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope="module")
def definitions(cluster: Cluster) -> Iterator[None]:
    """Those of Argo Rollouts and of the Gateway API; taken away again where the cluster had none."""
    try:
        folder = downloaded(ARGO, "github.com/argoproj/argo-rollouts") / "manifests" / "crds"
        program, module, path = DEFINITIONS[ROUTES]
        files = {ROUTES: source(program, module) / path} | {kind: folder / name for kind, name in KINDS.items()}
    except ClusterError as error:
        pytest.skip(f"no definitions: {error}")
    with ExitStack() as stack:
        for kind, file in files.items():
            if cluster.kubectl("get", "crd", kind, "--ignore-not-found", "-o", "name"):
                continue
            stack.callback(cluster.kubectl, "delete", "-f", file, "--timeout=60s")
            # too large for the annotation of a client-side apply
            cluster.kubectl("apply", "--server-side", "-f", file)
            # `kubectl wait` does not wait for a definition that has no conditions yet
            cluster.until(partial(cluster.holds, "--for=condition=Established", f"crd/{kind}"), f"the definition of {kind}", 60)
        yield


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace("argo", wait=False) as name:
        yield name


def placed(namespace: str, *kinds: str) -> list[dict[str, Any]]:
    """The document's objects in a namespace."""
    found = [item for item in written("argo.yaml") if not kinds or item["kind"] in kinds]
    return [{**item, "metadata": {**item["metadata"], "namespace": namespace}} for item in found]


@pytest.mark.usefixtures("definitions")
def test_server_admits_every_object(cluster: Cluster, namespace: str) -> None:
    objects = placed(namespace)
    lines = dry_run(cluster, objects).splitlines()
    assert [line for line in lines if not line.endswith(" (server dry run)")] == []
    assert len(lines) == len(objects) == 6


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize(
    ("kind", "place"),
    [("Rollout", ("spec", "strategy", "canary")), ("AnalysisTemplate", ("spec", "metrics", 0))],
)
def test_server_refuses_an_unknown_field(cluster: Cluster, namespace: str, kind: str, place: tuple[Any, ...]) -> None:
    (wrong, *_) = placed(namespace, kind)
    here = wrong
    for key in place:
        here = here[key]
    here["setWeigth"] = 10
    with pytest.raises(CommandError, match="setWeigth"):
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump(wrong))


def test_they_fit_the_chart(chart: Chart) -> None:
    values = {**written("argo-values.yaml")[0]}
    variant = {"model": "sentiment", "version": "1.0.0", "variant": "v", "archive": {"sha256": "0" * 64}}
    values |= {"image": {"repository": "r.example/x", "tag": "1"}, "variants": {"model": variant | values["variants"]["model"]}}  # fmt: skip
    deployment = chart.objects(None, json.dumps(values)).one("Deployment")
    assert deployment["spec"]["replicas"] == 0
    by_kind = {item["kind"]: item for item in written("argo.yaml")}
    assert by_kind["Rollout"]["spec"]["workloadRef"]["name"] == deployment["metadata"]["name"]
    canary = by_kind["Rollout"]["spec"]["strategy"]["canary"]
    services = {item["metadata"]["name"]: item for item in written("argo.yaml") if item["kind"] == "Service"}
    assert set(services) == {canary["stableService"], canary["canaryService"]}
    for service in services.values():
        assert selects(service["spec"]["selector"], deployment["spec"]["template"]["metadata"]["labels"])
    (rule,) = by_kind["HTTPRoute"]["spec"]["rules"]
    assert {backend["name"]: backend["weight"] for backend in rule["backendRefs"]} == {"sentiment-stable": 100, "sentiment-canary": 0}  # fmt: skip


def test_the_values_for_flagger_fit_the_chart(chart: Chart) -> None:
    (values,) = written("flagger.yaml")
    canary = chart.objects("minimal", json.dumps(values)).one("Canary")
    assert canary["spec"]["service"]["gatewayRefs"] == [{"name": "public", "namespace": "gateways"}]
    assert canary["spec"]["analysis"]["stepWeights"] == [10, 25, 50]
