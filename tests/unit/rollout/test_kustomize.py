"""Objects of environments as files: what is common, what differs, what is stale."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from marline.rollout.kustomize import Environment, files, operations, stale, write
from marline.spec.release_image import ImageName

LOCAL = ImageName(repository="localhost/a", tag="1")
PINNED = ImageName(repository="registry.example.com/a", tag="1", digest="sha256:" + "0" * 64)


def deployment(image: str, replicas: int = 1) -> dict[str, Any]:
    labels = {"app": "a", "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "marline-1"}
    containers = [{"name": "server", "image": image}, {"name": "other", "image": "envoy:1"}]
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n", "labels": labels},
        "spec": {"replicas": replicas, "template": {"spec": {"initContainers": [], "containers": containers}}},
    }  # fmt: skip


def service(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 8080}]}}


LOCAL_OBJECTS = [deployment("localhost/a:1"), service("a")]
ENVIRONMENTS = {
    "local": Environment("dev", LOCAL, LOCAL_OBJECTS),
    "production": Environment(
        "prod", PINNED, [deployment(f"registry.example.com/a:1@{PINNED.digest}", 3), service("b")]
    ),
}


def document(name: str) -> Any:
    return yaml.safe_load(files(ENVIRONMENTS, "local")[name])


def test_the_base_has_neither_namespace_nor_image_nor_helms_labels() -> None:
    found = document("base/deployment-a.yaml")
    assert found["metadata"] == {"name": "a", "labels": {"app": "a"}}
    assert [container["image"] for container in found["spec"]["template"]["spec"]["containers"]] == ["marline", "envoy:1"]
    assert document("base/kustomization.yaml")["resources"] == ["deployment-a.yaml", "service-a.yaml"]


def test_an_overlay_without_differences_is_a_namespace_and_an_image() -> None:
    found = document("overlays/local/kustomization.yaml")
    assert (found["namespace"], found["resources"]) == ("dev", ["../../base"])
    assert found["images"] == [{"name": "marline", "newName": "localhost/a", "newTag": "1"}]
    assert "patches" not in found


def test_an_overlay_adds_patches_and_deletes() -> None:
    found = document("overlays/production/kustomization.yaml")
    assert found["resources"] == ["../../base", "service-b.yaml"]
    assert found["images"][0]["digest"] == PINNED.digest
    assert document("overlays/production/patch-deployment-a.yaml") == [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert document("overlays/production/patch-service-a.yaml")["$patch"] == "delete"


def test_objects_are_left_as_they_were() -> None:
    before = copy.deepcopy(LOCAL_OBJECTS)
    files(ENVIRONMENTS, "local")
    assert before == LOCAL_OBJECTS


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [{"op": "replace", "path": "/a", "value": 2}]),
        ({"a": 1}, {"a": "1"}, [{"op": "replace", "path": "/a", "value": "1"}]),
        ({"a": {"b": 1}}, {"a": {}}, [{"op": "remove", "path": "/a/b"}]),
        ({}, {"x/y~z": 1}, [{"op": "add", "path": "/x~1y~0z", "value": 1}]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [{"op": "replace", "path": "/a/1", "value": 3}]),
        ({"a": [1]}, {"a": [1, 3]}, [{"op": "replace", "path": "/a", "value": [1, 3]}]),
    ],
)
def test_a_difference_is_a_json_patch(old: Any, new: Any, steps: list[Any]) -> None:
    assert list(operations(old, new)) == steps


def test_what_is_written_is_fresh_and_what_belongs_to_nothing_is_removed(tmp_path: Path) -> None:
    wanted = files(ENVIRONMENTS, "local")
    assert stale(tmp_path, wanted) == sorted(wanted)
    (tmp_path / "overlays" / "gone").mkdir(parents=True)
    (tmp_path / "overlays" / "gone" / "old.yaml").write_text("")
    (tmp_path / "README.md").write_text("mine")
    write(tmp_path, wanted)
    assert stale(tmp_path, wanted) == []
    assert not (tmp_path / "overlays" / "gone").exists()
    assert (tmp_path / "README.md").exists()
    (tmp_path / "base" / "service-a.yaml").write_text("changed")
    (tmp_path / "base" / "service-z.yaml").write_text("extra")
    (tmp_path / "base" / "deployment-a.yaml").unlink()
    assert stale(tmp_path, wanted) == ["base/deployment-a.yaml", "base/service-a.yaml", "base/service-z.yaml"]
