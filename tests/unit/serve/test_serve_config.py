"""Archives and settings to ``config.properties``."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from handlerkit.manifest import Manifest, Requirements, Source
from marline.serve.torchserve.archives import Served
from marline.serve.torchserve.config import Listen, RunDirectory, derive, worker_counts
from marline.spec.model import Serving

LISTEN = Listen("0.0.0.0", 8080, 9001, 9002, 9003)
SETTINGS = Serving(
    min_workers=2, max_workers=4, batch_size=16, max_batch_delay_ms=3, queue_size=7, response_timeout_s=11, startup_timeout_s=13
)


def served(variant: str) -> Served:
    manifest = Manifest(
        1, "sentiment", "1.2.0", variant, "tensor", "onnx", Source("u", "r", "0"), (), (), (), None, (),
        Requirements("3.11", {}, ()), {}, (), (), 0.1, None, {}, 1, "MIT",
    )
    return Served(Path(f"/a b/{variant}.mar"), manifest)


def properties(text: str) -> dict[str, str]:
    """As java.util.Properties reads them."""

    def unescape(value: str) -> str:
        value = re.sub(r"\\u([0-9a-f]{4})|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], value)
        return value.encode("utf-16", "surrogatepass").decode("utf-16")

    return {k: unescape(v) for k, _, v in (line.partition("=") for line in text.splitlines())}


def derived(cpus: int = 3, root: str = "/run/marline-1") -> dict[str, str]:
    return properties(derive([served("onnx-int8"), served("eager-fp32")], SETTINGS, cpus, LISTEN, RunDirectory(Path(root))))


def test_the_first_archive_is_loaded_first_and_gets_the_workers() -> None:
    found = derived()
    assert found["load_models"] == "archive0.mar,archive1.mar"
    versions = json.loads(found["models"])["sentiment"]
    assert versions["1.2.0-onnx-int8"] == {
        "defaultVersion": True, "marName": "archive0.mar", "minWorkers": 3, "maxWorkers": 3, "batchSize": 16,
        "maxBatchDelay": 3, "responseTimeout": 11, "startupTimeout": 13,
    }
    assert versions["1.2.0-eager-fp32"]["marName"] == "archive1.mar"
    assert (versions["1.2.0-eager-fp32"]["minWorkers"], versions["1.2.0-eager-fp32"]["defaultVersion"]) == (1, False)


def test_a_delay_of_zero_is_not_written() -> None:
    """TorchServe refuses it; another class of the frontend does not wait at all."""
    settings = SETTINGS.model_copy(update={"max_batch_delay_ms": 0})
    found = properties(derive([served("onnx-int8")], settings, 1, LISTEN, RunDirectory(Path("/r"))))
    assert json.loads(found["models"])["sentiment"]["1.2.0-onnx-int8"]["maxBatchDelay"] == 100


@pytest.mark.parametrize(("cpus", "workers"), [(1, 2), (2, 2), (3, 3), (64, 4)])
def test_workers_follow_the_cpus_within_the_bounds(cpus: int, workers: int) -> None:
    assert worker_counts([served("onnx-int8"), served("onnx-fp32")], SETTINGS, cpus) == [workers, 1]


def test_only_inference_listens_where_clients_are() -> None:
    found = derived()
    assert found["inference_address"] == "http://0.0.0.0:8080"
    assert found["management_address"] == "unix:/run/marline-1/m.sock"
    assert found["metrics_address"] == "http://127.0.0.1:9001"
    assert (found["grpc_inference_port"], found["grpc_management_port"]) == ("9002", "9003")
    assert {found["grpc_inference_address"], found["grpc_management_address"]} == {"127.0.0.1"}


def test_the_decisions_are_explicit() -> None:
    found = derived()
    assert found["metrics_mode"] == "prometheus"
    assert found["disable_token_authorization"] == "true"
    assert found["enable_model_api"] == found["install_py_dep_per_model"] == found["enable_envvars_config"] == "false"
    assert found["job_queue_size"] == "7"
    assert found["decode_input_request"] == "false"  # marline's worker reads nothing else
    assert (found["number_of_netty_threads"], found["netty_client_threads"]) == ("2", "2")
    assert (found["default_response_timeout"], found["default_startup_timeout"]) == ("11", "13")


def test_only_archives_of_this_server_may_be_loaded() -> None:
    allowed = derived(root="/run/a+b")["allowed_urls"]
    assert re.fullmatch(allowed, "file:///run/a+b/store/x.mar")
    assert not re.fullmatch(allowed, "file:///run/aab/store/x.mar")
    assert not re.fullmatch(allowed, "https://example.org/x.mar")


def test_odd_paths_survive_the_format() -> None:
    root = "/tmp/ü \\ \U0001f600 =:#!"
    assert derived(root=root)["model_store"] == f"{root}/store"


def test_the_same_input_gives_the_same_text() -> None:
    assert derived() == derived()
    other = replace(LISTEN, port=81)
    one, two = (derive([served("onnx-int8")], SETTINGS, 1, x, RunDirectory(Path("/r"))).splitlines() for x in (LISTEN, other))
    assert [a for a, b in zip(one, two, strict=True) if a != b] == ["inference_address=http://0.0.0.0:8080"]
