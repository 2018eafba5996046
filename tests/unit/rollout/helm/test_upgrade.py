from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from marline.errors import MarlineError
from marline.rollout.helm import upgrade as upgrades
from marline.rollout.helm.releases import Revision, decoded, deployed
from marline.rollout.helm.upgrade import LABEL, HelmRefused, clear_pending, run, tried, upgrade
from marline.rollout.kube import Kube
from unit.rollout.api_server import Api
from unit.rollout.canary.world import BEFORE, GOAL
from unit.rollout.helm_program import install, over_http, program, secret

MINE = "20261121-193300"


def mine(revision: Revision) -> bool:
    return revision.labels.get(LABEL) == MINE


@pytest.fixture
def helm(tmp_path: Path, cluster: Kube, monkeypatch: pytest.MonkeyPatch) -> Path:
    url = cluster.client.configuration.host
    monkeypatch.setenv("MARLINE_TEST_API", url)
    monkeypatch.setattr(upgrades, "PAUSE_S", 0.01)
    install(over_http(url), "toy", BEFORE)
    return program(tmp_path)


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable} -IS\n{text}\n")
    path.chmod(0o755)
    return path


def base() -> Revision:
    return decoded(secret("toy", 1, "deployed", BEFORE, {}))


def test_an_upgrade_brings_values_into_force_under_the_rollouts_name(helm: Path, cluster: Kube, api: Api) -> None:
    upgrade(helm, cluster, deployed(cluster, "toy"), GOAL, MINE)
    found = deployed(cluster, "toy")
    assert (found.number, found.values, found.labels[LABEL]) == (2, GOAL, MINE)
    assert set(api.all("deployments")) == {"toy-blue", "toy-green"}


def test_helm_is_told_everything(tmp_path: Path, cluster: Kube) -> None:
    told = tmp_path / "told"
    text = f"import json, os, sys; json.dump([sys.argv[1:], sys.stdin.read(), sorted(k for k in os.environ if k.startswith('HELM_'))], open({str(told)!r}, 'w'))"
    upgrade(script(tmp_path / "helm", text), cluster, base(), GOAL, MINE)

    arguments, given, homes = json.loads(told.read_text())
    assert (arguments[:2], json.loads(given)) == (["upgrade", "toy"], GOAL)
    assert not Path(arguments[2]).exists()
    assert arguments[3:8] == ["--namespace", "models", "--reset-values", "--values", "-"]
    assert {"--cleanup-on-fail", f"{LABEL}={MINE}", "--timeout", "--history-max"} <= set(arguments)
    assert homes == ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"]


def test_values_are_tried_without_a_change(helm: Path, cluster: Kube, api: Api) -> None:
    before = len([call for call in api.calls if call.writes])
    found = tried(helm, cluster, deployed(cluster, "toy"), GOAL)
    assert [item["metadata"]["name"] for item in found if item["kind"] == "Deployment"] == ["toy-blue", "toy-green"]
    assert len([call for call in api.calls if call.writes]) == before


@pytest.mark.parametrize("attempt", [tried, lambda *given: upgrade(*given, MINE)])
def test_what_helm_says_is_one_line(helm: Path, cluster: Kube, api: Api, attempt: object) -> None:
    api.helm = lambda values: "refuse"
    with pytest.raises(HelmRefused) as caught:
        attempt(helm, cluster, deployed(cluster, "toy"), GOAL)  # type: ignore[operator]
    assert str(caught.value) == "helm upgrade: UPGRADE FAILED: values don't meet the specifications of the schema"


def test_a_helm_that_is_not_there_is_named(tmp_path: Path, cluster: Kube) -> None:
    with pytest.raises(MarlineError, match=r"^.*/none: cannot be run \(No such file or directory\); install Helm 3 or 4, or name it with `--helm`$"):
        upgrade(tmp_path / "none", cluster, base(), GOAL, MINE)
    (tmp_path / "text").touch()
    with pytest.raises(MarlineError, match=r"cannot be run \(Permission denied\)"):
        upgrade(tmp_path / "text", cluster, base(), GOAL, MINE)


def test_a_helm_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, float(str(options["timeout"])))

    monkeypatch.setattr(upgrades.subprocess, "run", late)
    with pytest.raises(HelmRefused, match="^helm upgrade: took more than 90 s and was ended$"):
        run(["helm", "upgrade"], "", {})


def pending(api: Api, status: str, **labels: str) -> str:
    found = api.put("secrets", secret("toy", 2, status, GOAL, labels))
    return str(found["metadata"]["name"])


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_what_a_helm_of_this_rollout_left_is_taken_away(helm: Path, cluster: Kube, api: Api, status: str) -> None:
    name = pending(api, status, **{LABEL: MINE})
    assert clear_pending(cluster, "toy", mine, 0.0) == (
        f"Revision 2 was left {status} by a Helm that was ended, and is taken away."
    )
    assert name not in api.all("secrets")
    assert clear_pending(cluster, "toy", mine, 0.0) is None


@pytest.mark.parametrize("labels", [{}, {LABEL: "20260101-000000"}])
def test_what_another_helm_is_at_is_not(helm: Path, cluster: Kube, api: Api, labels: dict[str, str]) -> None:
    name = pending(api, "pending-upgrade", **labels)
    with pytest.raises(HelmRefused, match="^release toy: revision 2 is pending-upgrade, and not by this rollout; let that Helm end"):
        clear_pending(cluster, "toy", mine, 0.0)
    assert name in api.all("secrets")


def test_a_helm_that_outlived_its_driver_may_end(helm: Path, cluster: Kube, api: Api) -> None:
    pending(api, "pending-upgrade", **{LABEL: MINE})
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            api.put("secrets", secret("toy", 2, "deployed", GOAL, {LABEL: MINE}))

    assert clear_pending(cluster, "toy", mine, 60.0, tick) is None
    assert len(ticks) == 3


@pytest.mark.parametrize("status", ["deployed", "failed", "superseded"])
def test_what_is_over_is_not_pending(helm: Path, cluster: Kube, api: Api, status: str) -> None:
    pending(api, status, **{LABEL: MINE})
    assert clear_pending(cluster, "toy", mine, 0.0) is None
    assert clear_pending(cluster, "nothing", mine, 0.0) is None
