from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from marline.agent import drain, watch
from unit.agent.pod import Pod


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    """A pod that is looked at without pauses."""
    for name in ("PERIOD_S", "LOOK_S", "GOLDEN_PAUSE_S"):
        monkeypatch.setattr(watch, name, 0.0)
    monkeypatch.setattr(drain, "POLL_S", 0.0)
    # a short path: that of a unix socket may have 107 bytes
    root = Path(tempfile.mkdtemp(prefix="pod-"))
    yield Pod(root)
    shutil.rmtree(root)
