"""What a pod of the chart is, in every scenario and where values change it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import ENDPOINT, NAMESPACE, SCENARIOS, Chart, Manifest, containers, selects, settings_of
from marline.agent.settings import load_settings

NAME = f"sentiment-marline-{ENDPOINT}"
V = f"variants/{ENDPOINT}"


def over(**keys: Any) -> str:
    """Values of the one variant, as YAML."""
    return json.dumps({"variants": {ENDPOINT: keys}})


def pod(chart: Chart, scenario: str = "minimal", values: str = "") -> Manifest:
    """The spec of the one Deployment's pods."""
    return chart.objects(scenario, values).one("Deployment")["spec"]["template"]["spec"]


def template(chart: Chart, scenario: str = "minimal", values: str = "") -> Manifest:
    """The pod template of the one Deployment."""
    return chart.objects(scenario, values).one("Deployment")["spec"]["template"]


@pytest.mark.parametrize("scenario", SCENARIOS)
class TestEveryScenario:
    def test_agent_and_server_are_sidecars_in_this_order(self, chart: Chart, scenario: str) -> None:
        for deployment in chart.objects(scenario).servers():
            spec = deployment["spec"]["template"]["spec"]
            sidecars = [item["name"] for item in spec["initContainers"] if item.get("restartPolicy") == "Always"]
            assert [*sidecars, spec["containers"][0]["name"]] in (["agent", "server", "front"], ["agent", "server"])
            assert len(spec["containers"]) == 1

    def test_containers_are_restricted(self, chart: Chart, scenario: str) -> None:
        for _, _, spec in chart.objects(scenario).pods():
            assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 10001
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert spec["automountServiceAccountToken"] is False
            assert {kind for volume in spec["volumes"] for kind in volume} <= {
                "name",
                "emptyDir",
                "downwardAPI",
                "persistentVolumeClaim",
            }
            for container in containers(spec).values():
                context = container["securityContext"]
                assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
                assert context["capabilities"] == {"drop": ["ALL"]}

    def test_every_container_has_requests_and_limits_for_all(self, chart: Chart, scenario: str) -> None:
        for name, _, spec in chart.objects(scenario).pods():
            for container in containers(spec).values():
                for part in ("requests", "limits"):
                    assert set(container["resources"][part]) == {"cpu", "memory", "ephemeral-storage"}, (
                        name,
                        container["name"],
                    )

    def test_settings_are_what_the_agent_reads(self, chart: Chart, scenario: str, tmp_path: Path) -> None:
        objects = chart.objects(scenario)
        for deployment in objects.servers():
            template = deployment["spec"]["template"]
            (tmp_path / "pod.yaml").write_text(settings_of(template["metadata"]), encoding="utf-8")
            settings = load_settings(tmp_path / "pod.yaml")
            assert settings.archive.sha256 == template["metadata"]["annotations"]["marline.dev/archive-sha256"]
            main = template["spec"]["containers"][0]
            assert settings.front.enabled == (main["name"] == "front")
            if settings.front.enabled:
                assert f"{settings.front.memory_mb}Mi" == main["resources"]["limits"]["memory"]
            else:
                assert "memory_mb" not in settings_of(template["metadata"])
            assert settings.drain.timeout_s == template["spec"]["terminationGracePeriodSeconds"] - 5
            assert settings.endpoint == template["metadata"]["labels"]["marline.dev/endpoint"]

    def test_settings_are_the_pods_own_and_no_shared_object(self, chart: Chart, scenario: str) -> None:
        objects = chart.objects(scenario)
        assert not objects.of("ConfigMap")
        field = {"fieldPath": "metadata.annotations['marline.dev/pod.yaml']"}
        for _, _, spec in objects.pods():
            volume = {"name": "settings", "downwardAPI": {"items": [{"path": "pod.yaml", "fieldRef": field}]}}
            assert volume in spec["volumes"]
            for name, item in containers(spec).items():
                if name != "fetch":
                    mount = {"name": "settings", "mountPath": "/etc/marline", "readOnly": True}
                    assert mount in item["volumeMounts"], name

    def test_a_test_has_the_settings_of_the_pods_it_asks(self, chart: Chart, scenario: str) -> None:
        objects = chart.objects(scenario)
        served = {settings_of(item["spec"]["template"]["metadata"]) for item in objects.of("Deployment")}
        assert {settings_of(item["metadata"]) for item in objects.of("Pod")} == served

    def test_volumes_that_pods_name_exist(self, chart: Chart, scenario: str) -> None:
        objects = chart.objects(scenario)
        for _, _, spec in objects.pods():
            volumes = {volume["name"] for volume in spec["volumes"]}
            mounted = {mount["name"] for item in containers(spec).values() for mount in item["volumeMounts"]}
            assert mounted == volumes
            assert spec["serviceAccountName"] in {item["metadata"]["name"] for item in objects.of("ServiceAccount")}

    def test_services_select_the_pods_of_one_variant_and_no_test(self, chart: Chart, scenario: str) -> None:
        objects = chart.objects(scenario)
        pods = {name: metadata["labels"] for name, metadata, _ in objects.pods()}
        for service in objects.of("Service"):
            chosen = [name for name, labels in pods.items() if selects(service["spec"]["selector"], labels)]
            assert len(chosen) == 1 and "-test-" not in chosen[0], service["metadata"]["name"]

    def test_selectors_hold_nothing_that_can_change(self, chart: Chart, scenario: str) -> None:
        for deployment in chart.objects(scenario).servers():
            selector = deployment["spec"]["selector"]["matchLabels"]
            flaggers = {"app"} if scenario == "flagger" else set()
            assert set(selector) - flaggers == {
                "app.kubernetes.io/name",
                "app.kubernetes.io/instance",
                "marline.dev/endpoint",
            }
            assert selects(selector, deployment["spec"]["template"]["metadata"]["labels"])

    def test_every_pod_has_a_network_policy(self, chart: Chart, scenario: str) -> None:
        objects = chart.objects(scenario)
        selectors = [item["spec"]["podSelector"]["matchLabels"] for item in objects.of("NetworkPolicy")]
        for name, metadata, _ in objects.pods():
            assert len([s for s in selectors if selects(s, metadata["labels"])]) == 1, name

    def test_objects_say_their_namespace_and_nothing_is_made_twice(self, chart: Chart, scenario: str) -> None:
        objects = chart.objects(scenario)
        assert {item["metadata"]["namespace"] for item in objects} == {NAMESPACE}
        names = [(item["kind"], item["metadata"]["name"]) for item in objects]
        assert len(set(names)) == len(names)
        if scenario == "flagger":
            return  # which takes one variant
        # one endpoint more, with the word that the names of the tests have
        other = {"model": "m", "version": "1.0.0", "variant": "v", "weight": 0, "archive": {"sha256": "0" * 64}}
        endpoints = {item["metadata"]["labels"]["marline.dev/endpoint"] for item in objects.servers()}
        first = {"weight": 100} if len(endpoints) == 1 else {}
        variants = {"test": other} | dict.fromkeys(endpoints, first)
        more = chart.objects(scenario, json.dumps({"variants": variants, "primary": min(endpoints)}))
        assert len(more.of("Deployment")) == len(endpoints) + 1
        names = [(item["kind"], item["metadata"]["name"]) for item in more]
        assert len(set(names)) == len(names)


class TestFront:
    def test_front_is_the_main_container_and_drains(self, chart: Chart) -> None:
        front = pod(chart)["containers"][0]
        assert front["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
        assert front["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8083}
        assert front["livenessProbe"]["tcpSocket"] == {"port": 8080}
        assert front["lifecycle"]["preStop"]["exec"]["command"][:3] == ["marline", "agent", "drain"]
        assert front["args"][:3] == ["envoy", "-c", "/run/marline/front.json"] and "command" not in front

    def test_server_has_no_port(self, chart: Chart) -> None:
        assert "ports" not in containers(pod(chart))["server"]

    def test_another_envoy_sleeps_because_it_has_no_marline(self, chart: Chart) -> None:
        front = pod(chart, "production")["containers"][0]
        assert front["image"].startswith("registry.example.com/envoyproxy/envoy:v1.36.0@sha256:")
        assert front["lifecycle"]["preStop"] == {"sleep": {"seconds": 10}}
        assert front["command"] == ["envoy"]

    def test_without_front_the_server_faces_the_network(self, chart: Chart) -> None:
        spec = pod(chart, "front-off")
        server = spec["containers"][0]
        assert list(containers(spec)) == ["agent", "server"]
        assert server["ports"][0]["containerPort"] == 8080
        assert server["readinessProbe"]["httpGet"]["path"] == "/ready"
        assert server["lifecycle"]["preStop"]["exec"]["command"][2] == "drain"
        assert "restartPolicy" not in server
        assert "tmp-front" not in {volume["name"] for volume in spec["volumes"]}


class TestTime:
    def test_grace_is_drain_and_response_and_15(self, chart: Chart) -> None:
        values = json.dumps({"drain": {"seconds": 7}}) + "\n"
        assert pod(chart, values=values)["terminationGracePeriodSeconds"] == 7 + 30 + 15
        assert pod(chart, values=over(server={"responseTimeoutSeconds": 90}))["terminationGracePeriodSeconds"] == 110

    def test_given_grace_counts(self, chart: Chart) -> None:
        assert pod(chart, values=over(terminationGracePeriodSeconds=40))["terminationGracePeriodSeconds"] == 40

    def test_longest_drain_is_within_what_the_agent_allows(self, chart: Chart, tmp_path: Path) -> None:
        values = json.dumps(
            {"drain": {"seconds": 300}, "variants": {ENDPOINT: {"server": {"responseTimeoutSeconds": 3600}}}}
        )
        (tmp_path / "pod.yaml").write_text(settings_of(template(chart, values=values)["metadata"]))
        assert load_settings(tmp_path / "pod.yaml").drain.timeout_s == 3600

    def test_startup_probe_waits_for_the_model_and_the_jvm(self, chart: Chart) -> None:
        server = containers(pod(chart, values=over(server={"startupTimeoutSeconds": 200})))["server"]
        assert server["startupProbe"]["failureThreshold"] * server["startupProbe"]["periodSeconds"] == 230


class TestArchive:
    def test_in_the_image_there_is_no_volume(self, chart: Chart) -> None:
        spec = pod(chart)
        assert "archives" not in {volume["name"] for volume in spec["volumes"]}
        settings = yaml.safe_load(settings_of(template(chart)["metadata"]))
        assert settings["archive"]["path"] == f"/archives/sentiment-1.0.0-{ENDPOINT}.mar"

    def test_claim_is_read_only(self, chart: Chart) -> None:
        volume = {"name": "archives", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}}
        assert volume in pod(chart, "pvc")["volumes"]

    @pytest.mark.parametrize(
        "archive",
        [
            {"source": "pvc", "claimName": "models"},
            {"source": "hostPath", "hostPath": "/srv/models"},
            {"source": "url", "url": "https://m.example/a.mar"},
        ],
    )
    def test_whoever_reads_an_archive_has_it(self, chart: Chart, archive: dict[str, str]) -> None:
        objects = chart.objects(values=over(archive=archive))
        deployed = containers(objects.one("Deployment")["spec"]["template"]["spec"])
        for reader in (deployed["agent"], deployed["server"], containers(objects.one("Pod")["spec"])["ask"]):
            assert {"name": "archives", "mountPath": "/archives", "readOnly": True} in reader["volumeMounts"]

    def test_host_path_has_to_be_a_directory(self, chart: Chart) -> None:
        spec = pod(chart, values=over(archive={"source": "hostPath", "hostPath": "/srv/models"}))
        assert {"name": "archives", "hostPath": {"path": "/srv/models", "type": "Directory"}} in spec["volumes"]

    def test_fetch_comes_first_and_alone_writes(self, chart: Chart) -> None:
        spec = pod(chart, "url-archive")
        fetch, *rest = spec["initContainers"]
        path = f"/archives/sentiment-1.0.0-{ENDPOINT}.mar"
        sha256 = template(chart, "url-archive")["metadata"]["annotations"]["marline.dev/archive-sha256"]
        url = f"s3://models/sentiment/1.0.0/sentiment-1.0.0-{ENDPOINT}.mar"
        assert fetch["args"] == ["marline", "agent", "fetch", "--url", url, "--sha256", sha256, "--to", path]
        assert fetch["terminationMessagePolicy"] == "FallbackToLogsOnError"
        assert fetch["envFrom"] == [{"secretRef": {"name": "s3"}}]
        writable = [
            item["name"]
            for item in (fetch, *rest)
            if {"name": "archives", "mountPath": "/archives"} in item["volumeMounts"]
        ]
        assert writable == ["fetch"]

    def test_the_test_pod_fetches_too(self, chart: Chart) -> None:
        test = chart.objects("url-archive").one("Pod")["spec"]
        assert list(containers(test)) == ["fetch", "ask"]
        assert test["containers"][0]["args"][2:5] == ["ask-golden", "--url", f"http://{NAME}:8080"]


class TestRollout:
    def test_other_digest_of_the_archive_is_another_pod(self, chart: Chart) -> None:
        assert template(chart) != template(chart, values=over(archive={"sha256": "0" * 64}))

    @pytest.mark.parametrize(
        "keys",
        [
            {"server": {"queueSize": 50}},
            {"server": {"heapMb": 300}, "resources": {"server": {"limits": {"memory": "1Gi"}}}},
        ],
    )
    def test_other_settings_are_another_pod(self, chart: Chart, keys: dict[str, Any]) -> None:
        before, after = (settings_of(template(chart, values=values)["metadata"]) for values in ("", over(**keys)))
        assert before != after

    @pytest.mark.parametrize(
        "keys",
        [
            {"replicas": 3},
            {"weight": 100},
            {"example": "x"},
            {"autoscaling": {"enabled": True}},
            {"disruptionBudget": {"enabled": False}},
        ],
    )
    def test_what_no_pod_sees_replaces_no_pod(self, chart: Chart, keys: dict[str, Any]) -> None:
        assert template(chart) == template(chart, values=over(**keys))

    def test_chart_version_is_not_in_the_pod(self, chart: Chart) -> None:
        assert "helm.sh/chart" not in template(chart)["metadata"]["labels"]

    def test_other_tag_of_a_variant_leaves_the_charts_digest_behind(self, chart: Chart) -> None:
        image = containers(pod(chart, values=over(image={"tag": "2.0.0"})))["server"]["image"]
        assert image == "registry.example.com/marline/sentiment:2.0.0"

    def test_pull_policy_of_a_variant_keeps_the_image(self, chart: Chart) -> None:
        server = containers(pod(chart, values=over(image={"pullPolicy": "Never"})))["server"]
        assert "@sha256:" in server["image"] and server["imagePullPolicy"] == "Never"


class TestResources:
    @pytest.mark.parametrize(("limit", "threads"), [("300m", 1), (0.3, 1), ("1001m", 2), (1.5, 2), ("2.5", 3), (4, 4)])
    def test_threads_may_be_the_limit_rounded_up(self, chart: Chart, limit: object, threads: int) -> None:
        keys = {"server": {"threads": threads}, "resources": {"server": {"limits": {"cpu": limit}}}}
        server = containers(pod(chart, values=over(**keys)))["server"]
        assert server["resources"]["limits"]["cpu"] == server["resources"]["requests"]["cpu"] == limit
        keys["server"]["threads"] = threads + 1  # type: ignore[index]
        assert "server.threads" in chart.refusal("minimal", over(**keys))

    @pytest.mark.parametrize("memory", ["640Mi", "0.625Gi", 671088640, "672M"])
    def test_memory_may_be_heap_and_workers(self, chart: Chart, memory: object) -> None:
        keys: dict[str, Any] = {"resources": {"server": {"limits": {"memory": memory}}}}
        server = containers(pod(chart, values=over(**keys)))["server"]
        assert server["resources"]["limits"]["memory"] == memory
        keys["server"] = {"workerMemoryMb": 386}
        assert "limits.memory" in chart.refusal("minimal", over(**keys))

    def test_limits_follow_from_workers(self, chart: Chart) -> None:
        server = containers(
            pod(chart, values=over(server={"workers": 3, "threads": 2, "workerMemoryMb": 400, "heapMb": 300}))
        )["server"]
        assert server["resources"]["limits"]["cpu"] == 6
        assert server["resources"]["limits"]["memory"] == f"{3 * 400 + 300 + 256}Mi"


class TestPlacement:
    def test_cpu_features_are_required_by_their_published_labels(self, chart: Chart) -> None:
        affinity = pod(chart, "production")["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        expressions = affinity["nodeSelectorTerms"][0]["matchExpressions"]
        assert [item["key"] for item in expressions] == [
            "feature.node.kubernetes.io/cpu-cpuid.AVX2",
            "feature.node.kubernetes.io/cpu-cpuid.AVX512VNNI",
        ]
        assert all((item["operator"], item["values"]) == ("In", ["true"]) for item in expressions)

    def test_spread_is_a_preference(self, chart: Chart) -> None:
        spec = pod(chart)
        assert {item["whenUnsatisfiable"] for item in spec["topologySpreadConstraints"]} == {"ScheduleAnyway"}
        assert "nodeAffinity" not in spec["affinity"]

    def test_spread_can_be_switched_off(self, chart: Chart) -> None:
        spec = pod(chart, values=over(topologySpread={"enabled": False}))
        assert "affinity" not in spec and "topologySpreadConstraints" not in spec
