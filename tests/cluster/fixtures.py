"""The cluster as a fixture, for every suite that needs one: ``from cluster.fixtures import cluster``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Cluster
from cluster.containers import own_image
from cluster.health import lasting_problems
from cluster.machine import unfit
from cluster.settings import Settings

TESTS = Path(__file__).parent.parent


def cli(*arguments: str, index: int | None = None) -> list[str | Path]:
    """The command line of a verb of ``python -m cluster``."""
    chosen = [] if index is None else ["env", f"CLUSTER_INDEX={index}"]
    return [*chosen, "env", "-C", TESTS, sys.executable, "-m", "cluster", *arguments]


def absent() -> str | None:
    """Why the tests on Kubernetes cannot run here, or None."""
    if os.environ.get("CLUSTER") == "0":
        return "no cluster: CLUSTER=0 switches the tests on Kubernetes off"
    if os.environ.get("KUBECONFIG"):
        return None
    reason = unfit()
    return f"no cluster: {reason}" if reason else None


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """KUBECONFIG's cluster; else this machine's, started (and ended again) unless it already runs."""
    if reason := absent():
        pytest.skip(reason)
    if given := os.environ.get("KUBECONFIG"):
        yield Cluster(given, None)
        return
    settings = Settings.from_environment()
    if not lasting_problems(settings):
        yield Cluster.of_node(settings)
        return
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(flush=True)
        subprocess.run(cli("up"), check=True)
    try:
        yield Cluster.of_node(settings)
    finally:
        subprocess.run(cli("down"), check=True)


@pytest.fixture(scope="session")
def probe_image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of ``node/probe`` on the cluster; its name."""
    cluster.import_image(own_image(tmp_path_factory.mktemp("images"), "probe"))
    return "marline.test/probe:1"
