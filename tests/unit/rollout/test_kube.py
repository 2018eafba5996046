"""One call of the API server: what comes back, and what each refusal becomes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from marline.errors import MarlineError
from marline.rollout.kube import Conflict, Kube, Unavailable
from unit.rollout.api_server import APPLY, MERGE, Api, kube, refusal, served


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def cluster(api: Api) -> Iterator[Kube]:
    with served(api) as url:
        yield kube(url)


def made(name: str, **data: str) -> dict[str, Any]:
    labels = {"app": name[0], "kind": "test"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": data}


def test_an_object_is_made_read_and_taken_away(cluster: Kube) -> None:
    assert cluster.get("configmaps", "a") is None
    cluster.create("configmaps", made("a", key="1"))
    found = cluster.get("configmaps", "a")
    assert found is not None
    assert found["data"] == {"key": "1"}
    cluster.delete("configmaps", "a")
    assert cluster.get("configmaps", "a") is None
    cluster.delete("configmaps", "a")


def test_labels_select(cluster: Kube) -> None:
    for name in ("a1", "a2", "b1"):
        cluster.create("configmaps", made(name))
    assert [item["metadata"]["name"] for item in cluster.list("configmaps", "app=a,kind=test")] == ["a1", "a2"]
    assert len(cluster.list("configmaps")) == 3
    assert cluster.list("configmaps", "app=c") == []
    assert cluster.list("pods") == []


def test_a_list_that_the_api_server_gives_as_null_is_empty(cluster: Kube, api: Api) -> None:
    api.trouble = lambda call: (200, {"items": None})
    assert cluster.list("pods") == []


def test_what_is_there_already_is_a_conflict(cluster: Kube) -> None:
    cluster.create("configmaps", made("a"))
    with pytest.raises(Conflict, match=r'^POST configmaps in namespace models: configmaps "a" already exists$'):
        cluster.create("configmaps", made("a"))


def test_what_somebody_wrote_meanwhile_is_a_conflict(cluster: Kube) -> None:
    read = cluster.create("configmaps", made("a"))
    cluster.replace("configmaps", {**read, "data": {"by": "one"}})
    with pytest.raises(Conflict, match="^PUT configmaps/a in namespace models: the object has been modified"):
        cluster.replace("configmaps", {**read, "data": {"by": "other"}})


def test_a_patch_changes_some_fields_and_takes_others_away(cluster: Kube, api: Api) -> None:
    cluster.create("configmaps", made("a", kept="1", gone="2"))
    cluster.patch("configmaps", "a", {"data": {"gone": None, "new": "3"}}, "helm")
    assert api.all("configmaps")["a"]["data"] == {"kept": "1", "new": "3"}
    assert (api.calls[-1].kind, api.calls[-1].query) == (MERGE, {"fieldManager": "helm"})


def test_an_apply_makes_an_object_or_brings_it_in_order(cluster: Kube, api: Api) -> None:
    cluster.apply("configmaps", made("a", key="1"), "marline")
    cluster.apply("configmaps", made("a", key="2"), "marline")
    assert api.all("configmaps")["a"]["data"] == {"key": "2"}
    assert (api.calls[-1].kind, api.calls[-1].query) == (APPLY, {"fieldManager": "marline", "force": "true"})


def test_what_is_patched_must_be_there(cluster: Kube) -> None:
    with pytest.raises(MarlineError, match=r'^PATCH configmaps/a in namespace models: the API server answers 404 \(configmaps "a" not found\)$'):
        cluster.patch("configmaps", "a", {}, "helm")


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_an_api_server_that_is_short_of_breath_may_be_asked_again(cluster: Kube, api: Api, status: int) -> None:
    api.trouble = lambda call: refusal(status, "later")
    with pytest.raises(Unavailable, match=rf"^GET pods in namespace models: the API server answers {status} \(later\)$"):
        cluster.list("pods")
    assert len(api.calls) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_right_that_is_missing_is_named(cluster: Kube, api: Api, status: int) -> None:
    api.trouble = lambda call: refusal(status, 'cannot list resource "pods"')
    with pytest.raises(MarlineError) as caught:
        cluster.list("pods")
    assert type(caught.value) is MarlineError
    assert str(caught.value) == (
        'GET pods in namespace models: not allowed (cannot list resource "pods"); give the account that asks this right'
    )


def test_a_refusal_that_is_no_status_is_shown_as_it_is(cluster: Kube, api: Api) -> None:
    api.trouble = lambda call: (400, b"<html>\nno\xff" + b"x" * 500)
    with pytest.raises(MarlineError, match=r"answers 400 \(<html> no.x{190,192}\)$"):
        cluster.get("pods", "a")


def test_nobody_there_and_a_broken_connection_are_unavailable(cluster: Kube, api: Api) -> None:
    api.trouble = lambda call: (0, None)
    with pytest.raises(Unavailable, match="the API server does not answer"):
        cluster.get("pods", "a")
    with pytest.raises(Unavailable, match=r"^GET pods/a in namespace models: the API server does not answer \("):
        kube("http://127.0.0.1:1").get("pods", "a")


def test_the_cluster_is_kubectls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    api.put("configmaps", made("a", key="1"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with served(api) as url:
        document = {
            "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": url}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (tmp_path / "config").write_text(yaml.safe_dump(document))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        # the package reads the variable when it is imported
        from kubernetes.config import kube_config

        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
        found = Kube.connect("models").get("configmaps", "a")
    assert found is not None


def test_without_a_cluster_the_sentence_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.config import kube_config

    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(MarlineError, match="^no cluster: .*; name one with the environment variable KUBECONFIG, as for kubectl$"):
        Kube.connect("models")


def test_without_the_package_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(MarlineError, match=r"which is not installed: `pip install 'marline\[rollout\]'`$"):
        Kube.connect("models")
