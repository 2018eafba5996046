"""The programs that the chart's tests call."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from chart.rendering import ROOT, Chart
from cluster.binaries import binary
from cluster.errors import ClusterError

sys.path.insert(0, str(ROOT / "tools"))


def program(name: str) -> Path:
    """``$NAME`` if it is set (another version of Helm, say), else the one that tests/cluster builds; else skip."""
    variable = name.upper().replace("-", "_")
    if given := os.environ.get(variable):
        return Path(given)
    try:
        return binary(name)
    except ClusterError as error:
        pytest.skip(f"no {name} (set {variable} to one): {error}")


@pytest.fixture(scope="session")
def helm() -> Path:
    return program("helm")


@pytest.fixture(scope="session")
def helm_unittest() -> Path:
    return program("helm-unittest")


@pytest.fixture(scope="session")
def chart(helm: Path) -> Chart:
    return Chart(helm)
