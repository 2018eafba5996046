"""The node does what a test of the chart takes for granted."""

from __future__ import annotations

import tarfile
import urllib.request
from collections.abc import Iterator

import pytest

from cluster.api import Cluster
from cluster.commands import run
from cluster.errors import ClusterError, CommandError
from cluster.fixtures import cli

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: web
        image: IMAGE
        imagePullPolicy: Never
        args: [serve]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, probe_image: str) -> Iterator[str]:
    with cluster.namespace("node") as name:
        cluster.apply(WEB.replace("IMAGE", probe_image), "--namespace", name)
        cluster.kubectl("-n", name, "rollout", "status", "deployment/web", "--timeout=90s")
        yield name


@pytest.fixture(scope="module")
def pods(cluster: Cluster, namespace: str) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in cluster.get("pods", "-n", namespace)["items"])


def probe(cluster: Cluster, namespace: str, *args: str, check: bool = True) -> str:
    return cluster.kubectl("-n", namespace, "exec", "deployment/web", "--", "/probe", *args, check=check)


def test_a_service_answers_the_host_from_each_of_its_pods(cluster, namespace, pods):
    address = cluster.get("service", "web", "-n", namespace)["spec"]["clusterIP"]

    def answered() -> set[str]:
        def ask() -> str:
            try:
                with urllib.request.urlopen(f"http://{address}/", timeout=3) as answer:
                    return answer.read().decode().strip()
            except OSError:  # the firewall rules follow a second after the pods are ready
                return ""

        return {ask() for _ in range(20)} - {""}

    cluster.until(lambda: answered() == set(pods), f"answers of {pods}", 15)


def test_a_pod_reaches_services_by_name(cluster, namespace, pods):
    assert probe(cluster, namespace, "get", "http://web/").split() in [["200", pod] for pod in pods]
    address = cluster.get("service", "web", "-n", namespace)["spec"]["clusterIP"]
    for name in ("web", f"web.{namespace}", f"web.{namespace}.svc.cluster.local"):
        assert probe(cluster, namespace, "resolve", name).split() == [address]


def test_a_name_outside_does_not_exist(cluster, namespace):
    assert "no such host" in probe(cluster, namespace, "resolve", "outside.example", check=False)


def test_nothing_leaves_the_node(cluster, namespace):
    if cluster.settings is None:
        pytest.skip("KUBECONFIG is set: only the node of these tests is cut off")
    assert "network is unreachable" in probe(cluster, namespace, "get", "http://192.0.2.1/", check=False)


def test_a_pod_finds_the_open_ports_of_another(cluster, namespace):
    address = cluster.get("pods", "-n", namespace)["items"][0]["status"]["podIP"]
    assert probe(cluster, namespace, "scan", address, "8000", "8100").split() == ["8080"]


def test_an_unrestricted_pod_is_refused(cluster, namespace, probe_image):
    with pytest.raises(CommandError, match='violates PodSecurity "restricted'):
        cluster.kubectl("-n", namespace, "run", "bad", f"--image={probe_image}")


def test_an_account_without_a_role_may_nothing(cluster, namespace):
    account = f"--as=system:serviceaccount:{namespace}:default"
    assert cluster.kubectl("auth", "can-i", "list", "pods", "-n", namespace, account, check=False).strip() == "no"


def test_the_metrics_of_a_pod_are_served(cluster, namespace, pods):
    def measured() -> bool:
        return all(pod in cluster.kubectl("top", "pods", "-n", namespace) for pod in pods)

    cluster.until(measured, f"the metrics of {pods}", 60)


def test_helm_reaches_the_cluster(cluster, namespace):
    assert cluster.helm("list", "-n", namespace, "-q").strip() == ""
    assert cluster.helm("version", "--template", "{{.Version}}").startswith("v")


def test_what_is_no_image_is_refused(cluster, tmp_path):
    if cluster.settings is None:
        pytest.skip("KUBECONFIG is set: images are brought there by CLUSTER_IMPORT")
    with pytest.raises(ClusterError, match="no such image archive"):
        cluster.import_image(tmp_path / "none.tar")
    with tarfile.open(tmp_path / "text.tar", "w") as tar:
        tar.add(__file__, "text")
    with pytest.raises(CommandError, match="unrecognized image format"):
        cluster.import_image(tmp_path / "text.tar")


def test_up_leaves_a_healthy_cluster_alone(cluster):
    if cluster.settings is None:
        pytest.skip("KUBECONFIG is set: there is nothing to start")
    before = cluster.get("namespace", "default")["metadata"]["uid"]
    assert run(cli("up")).strip() == f"already up: KUBECONFIG={cluster.settings.kubeconfig}"
    assert cluster.get("namespace", "default")["metadata"]["uid"] == before
    assert run(cli("status")).strip().endswith(f"up: KUBECONFIG={cluster.settings.kubeconfig}")
