"""What a release and its store come to, as values of the chart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from marline.artifact.store import Store
from marline.rollout.facts import Facts
from marline.rollout.placement import architecture, cpu_features
from marline.rollout.plan import Plan, plan
from marline.rollout.salvage import stand_in
from marline.rollout.server import heap_mb, worker_mb
from marline.rollout.values import variant_values
from marline.spec.model import Serving
from marline.spec.release import AtUrl, Drain, Front, ReleaseVariant
from unit.rollout.conftest import RELEASE, evidence, put
from unit.spec.conftest import DELETE, TENSOR_SPEC, changed

MAIN = "variants.main"
Planned = Callable[..., Plan]
ONLY = ReleaseVariant(model="scaler", version="1.0.0", variant="onnx-fp32")


def main(found: Plan) -> dict[str, Any]:
    values = found.values["variants"]["main"]
    assert isinstance(values, dict)
    return values


def test_the_digest_is_that_of_the_store(store: Store, planned: Planned) -> None:
    digest = store.sha256("scaler", "1.0.0", "onnx-fp32")
    archive = {"sha256": digest, "source": "image", "path": "/archives/scaler-1.0.0-onnx-fp32.mar"}
    assert main(planned())["archive"] == archive


def test_settings_come_from_the_release_then_the_model_then_the_facts(store: Store, planned: Planned) -> None:
    spec = changed(TENSOR_SPEC, ("name", "scaler"), ("variants", {"onnx-fp32": {}}), ("serving", {"queue_size": 50, "batch_size": 4}))
    put("config/models/scaler.yaml", spec)
    found = planned((f"{MAIN}.server", {"queue_size": 60}))
    server = main(found)["server"]
    assert (server["queueSize"], server["batchSize"], server["responseTimeoutSeconds"]) == (60, 4, 30)
    assert (server["workers"], server["threads"]) == (2, 1), "one for each whole CPU of the limit"
    # dynamic int8 scales over the batch, so strangers would change the answer
    assert found.values["variants"]["canary"]["server"]["batchSize"] == 1


def test_a_delay_of_zero_in_a_release_is_a_number_and_not_nothing(store: Store, planned: Planned) -> None:
    spec = changed(TENSOR_SPEC, ("name", "scaler"), ("variants", {"onnx-fp32": {}}), ("serving", {"max_batch_delay_ms": 9}))
    put("config/models/scaler.yaml", spec)
    found = planned((f"{MAIN}.server", {"max_batch_delay_ms": 0}))
    assert main(found)["server"]["maxBatchDelayMs"] == 0
    assert found.values["variants"]["canary"]["server"]["maxBatchDelayMs"] == 9


def test_a_release_can_say_what_the_chart_knows_of_server_and_front(planned: Planned) -> None:
    chart = yaml.safe_load((Path(__file__).parents[3] / "helm" / "values.yaml").read_text(encoding="utf-8"))
    found = planned()
    assert set(main(found)["server"]) == set(chart["defaults"]["server"])
    assert found.values["front"] == chart["front"], "and the defaults are the same"
    assert found.values["drain"] == chart["drain"]


def test_memory_holds_the_heap_and_every_worker(planned: Planned) -> None:
    values = main(planned())
    server, limits = values["server"], values["resources"]["server"]["limits"]
    assert limits == {"cpu": 2, "memory": f"{server['heapMb'] + 2 * server['workerMemoryMb'] + 256}Mi"}
    smaller = main(planned(("front", {"max_body_bytes": 1000})))["server"]
    assert smaller["heapMb"] == 256 < server["heapMb"]


def test_the_grace_period_covers_drain_and_the_slowest_answer(planned: Planned) -> None:
    assert main(planned())["terminationGracePeriodSeconds"] == 5 + 30 + 15
    slower = planned(("drain", {"seconds": 20}), (f"{MAIN}.server.response_timeout_s", 60))
    assert main(slower)["terminationGracePeriodSeconds"] == 20 + 60 + 15
    assert main(planned((f"{MAIN}.grace_s", 40)))["terminationGracePeriodSeconds"] == 40


def test_an_autoscaler_or_a_number_owns_the_pods(planned: Planned) -> None:
    found = planned()
    assert main(found)["autoscaling"] == {
        "enabled": True, "minReplicas": 2, "maxReplicas": 4, "cpu": {"targetUtilization": 70},
    }  # fmt: skip
    assert "replicas" not in main(found)
    canary = found.values["variants"]["canary"]
    assert canary["replicas"] == 1
    assert "autoscaling" not in canary


def test_a_slower_model_gets_a_lower_target(store: Store, planned: Planned) -> None:
    def target() -> int:
        return int(main(planned((f"{MAIN}.autoscaling.wait_ms", 20)))["autoscaling"]["cpu"]["targetUtilization"])

    fast = target()
    evidence(store, "onnx-fp32", times_ms=[30.0, 50.0])
    slow = target()
    evidence(store, "onnx-fp32", times_ms=[300.0, 500.0])
    assert fast > slow > target()


def test_a_cpu_target_is_a_percentage_of_the_request(planned: Planned) -> None:
    half = planned((f"{MAIN}.resources.server.cpu_request", 1))
    assert main(half)["autoscaling"]["cpu"] == {"targetUtilization": 140}


def test_the_queue_target_follows_from_the_measured_capacity(planned: Planned) -> None:
    queue = {"prometheus": "http://prometheus:9090", "authentication": "reader"}
    values = main(planned((f"{MAIN}.autoscaling", {"max_replicas": 4, "queue": queue})))["autoscaling"]
    # two workers at 10 ms do 200 a second: in 50 ms, 10
    assert values["queue"] == {
        "target": 10, "prometheusAddress": "http://prometheus:9090", "authenticationRef": {"name": "reader"},
    }  # fmt: skip
    assert "cpu" not in values


@pytest.mark.parametrize(
    ("archive", "values"),
    [
        ({"kind": "pvc", "claim": "models"}, {"source": "pvc", "claimName": "models"}),
        ({"kind": "hostPath", "directory": "/srv"}, {"source": "hostPath", "hostPath": "/srv"}),
        ({"kind": "url", "url": "s3://models/"}, {"source": "url", "url": "s3://models/scaler-1.0.0-onnx-fp32.mar"}),
        ({"kind": "url", "url": "https://x/y.mar", "env_from": [{"secretRef": {"name": "s"}}]}, {"url": "https://x/y.mar", "envFrom": [{"secretRef": {"name": "s"}}]}),
        ({"kind": "image", "path": "/archives/a.mar"}, {"source": "image", "path": "/archives/a.mar"}),
    ],
)
def test_an_archive_comes_from_where_the_release_says(planned: Planned, archive: dict[str, Any], values: dict[str, Any]) -> None:
    assert values.items() <= main(planned((f"{MAIN}.archive", archive)))["archive"].items()


def test_what_the_chart_knows_alone_is_passed_on(planned: Planned) -> None:
    found = planned((f"{MAIN}.pod", {"podLabels": {"team": "a"}}), ("chart", {"service": {"type": "NodePort"}}))
    assert main(found)["podLabels"] == {"team": "a"}
    assert found.values["service"] == {"type": "NodePort"}


def facts(cpu_class: str, *flags: str) -> Facts:
    known = stand_in(ONLY)
    assert known.measured is not None
    measured = known.measured.model_copy(update={"cpu_class": cpu_class})
    return known.model_copy(update={"measured": measured, "cpu_flags": list(flags)})


def test_a_variant_runs_where_it_was_measured() -> None:
    assert cpu_features(ONLY, facts("avx2")) == ["AVX2"]
    assert cpu_features(ONLY, facts("avx512-vnni")) == ["AVX2", "AVX512F", "AVX512VNNI"]
    assert (cpu_features(ONLY, facts("aarch64")), architecture(ONLY, facts("aarch64"))) == ([], {"kubernetes.io/arch": "arm64"})
    assert architecture(ONLY, facts("avx2")) == {}
    assert cpu_features(ONLY, facts("avx2").model_copy(update={"measured": None})) == []


def test_a_release_may_ask_for_other_nodes_but_not_for_wrong_numbers() -> None:
    anywhere = ONLY.model_copy(update={"cpu_features": []})
    assert (cpu_features(anywhere, facts("avx2")), architecture(anywhere, facts("aarch64"))) == ([], {})
    assert cpu_features(anywhere, facts("avx512-vnni", "avx512_vnni")) == ["AVX512VNNI"]
    assert cpu_features(ONLY.model_copy(update={"cpu_features": ["FMA3"]}), facts("avx2")) == ["FMA3"]


def test_memory_of_a_worker_is_at_least_what_was_measured() -> None:
    small = facts("avx2")
    assert worker_mb(small) == 160
    assert small.measured is not None
    measured = small.measured.model_copy(update={"rss_mb": 400})
    assert worker_mb(small.model_copy(update={"measured": measured})) == 512
    assert worker_mb(small.model_copy(update={"size_bytes": 100 * 2**20})) == 352


def test_the_heap_holds_every_waiting_request() -> None:
    assert heap_mb(1, 1000) == 256
    assert heap_mb(100, 10 * 2**20) == 128 + 1000


def test_the_text_is_the_values_below_what_they_follow_from(planned: Planned) -> None:
    found = planned()
    assert yaml.safe_load(found.text) == found.values
    assert found.text.splitlines()[:4] == [
        "# Written by `marline release staging`; change config/releases/staging.yaml and write it again.",
        "# helm upgrade --install scaler helm/ --namespace models --values THIS",
        "# main: scaler 1.0.0 onnx-fp32 takes 10.0 ms in the model for a request on avx2, so a pod can do 200 requests/s at most.",
        "# canary: scaler 1.0.0 onnx-int8 takes 10.0 ms in the model for a request on avx2, so a pod can do 100 requests/s at most.",
    ]
    assert found.text == planned().text


def test_a_single_endpoint_is_primary_and_has_all_requests(store: Store) -> None:
    put("config/releases/staging.yaml", changed(RELEASE, ("variants.canary", DELETE), (f"{MAIN}.weight", DELETE), ("primary", DELETE)))
    values = plan("staging", store).values
    assert (values["primary"], values["variants"]["main"]["weight"]) == ("main", 100)


@pytest.mark.parametrize("container", ["agent", "front"])
def test_a_smaller_limit_is_a_smaller_request(planned: Planned, container: str) -> None:
    def resources(**keys: int) -> Any:
        return main(planned((f"{MAIN}.resources.{container}", keys)))["resources"][container]

    assert resources(memory_mb=96) == {"limits": {"memory": "96Mi"}, "requests": {"memory": "96Mi"}}
    given = {"limits": {"memory": "96Mi"}, "requests": {"memory": "64Mi"}}
    assert resources(memory_mb=96, memory_request_mb=64) == given


def of_size(mebibytes: int, **release: Any) -> dict[str, Any]:
    """The values of an archive of that size."""
    wanted = ONLY.model_copy(update=release)
    known = stand_in(wanted).model_copy(update={"size_bytes": mebibytes * 2**20})
    values, problems = variant_values(wanted, known, Serving(), Front(), Drain())
    assert not problems
    return values


AT_URL = AtUrl(kind="url", url="https://models.example.com/")


@pytest.mark.parametrize("release", [{}, {"archive": AT_URL}])
def test_directories_of_the_chart_are_left_where_they_hold_the_archive(release: dict[str, Any]) -> None:
    values = of_size(768, **release)
    assert "storage" not in values
    assert "ephemeral-storage" not in str(values["resources"])


def test_a_large_archive_gets_room_to_be_unpacked() -> None:
    values = of_size(769)
    assert values["storage"] == {"run": "1088Mi"}, "the archive and at least 256 MiB"
    server = values["resources"]["server"]
    assert (server["requests"]["ephemeral-storage"], server["limits"]["ephemeral-storage"]) == ("1088Mi", "4160Mi")
    assert "memory" in server["limits"] and "agent" not in values["resources"]


def test_a_large_archive_gets_room_to_be_fetched() -> None:
    values = of_size(5000, archive=AT_URL)
    assert values["storage"] == {"run": "5312Mi", "archives": "5312Mi"}
    assert values["resources"]["agent"]["limits"] == {"ephemeral-storage": "5312Mi"}
    assert "archives" not in of_size(5000)["storage"], "only a fetched archive lies in it"


def test_room_that_the_release_names_wins() -> None:
    assert of_size(769, pod={"storage": {"tmp": "8Gi"}})["storage"] == {"run": "1088Mi", "tmp": "8Gi"}
    assert of_size(769, pod={"storage": {"run": "2Gi"}})["storage"] == {"run": "2Gi"}
