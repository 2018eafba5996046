from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from marline.rollout.canary import driver, hands, lease, phases, watching
from marline.rollout.helm import upgrade
from unit.rollout.canary.world import World, world


@pytest.fixture
def program() -> None:
    """Helm is a process of its own; without this it is a function, which is faster."""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[World]:
    """A cluster in which nobody pauses for long."""
    monkeypatch.setenv("MARLINE_HOLDER", "pod-1")
    monkeypatch.setattr(driver, "PAUSE_S", 0.02)
    monkeypatch.setattr(driver, "SAVE_S", 0.0)
    monkeypatch.setattr(driver, "PATIENCE_S", 0.0)
    for module in (hands, lease, upgrade):
        monkeypatch.setattr(module, "PAUSE_S", 0.02)
    with world(tmp_path) as made:
        monkeypatch.setenv("MARLINE_TEST_API", made.kube.client.configuration.host)
        monkeypatch.setattr(phases, "wrong", partial(phases.wrong, port=made.port, agent_port=made.port))
        monkeypatch.setattr(watching, "manifest_of", partial(watching.manifest_of, port=made.port))
        if "program" not in request.fixturenames:
            monkeypatch.setattr(upgrade, "run", made.helm_here)
        yield made
