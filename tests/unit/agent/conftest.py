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
    for module, name, value in ((watch, "PERIOD_S", 0.0), (watch, "GOLDEN_PAUSE_S", 0.0), (drain, "POLL_S", 0.0)):
        monkeypatch.setattr(module, name, value)
    # a short path: that of a unix socket may have 107 bytes
    root = Path(tempfile.mkdtemp(prefix="pod-"))
    yield Pod(root)
    shutil.rmtree(root)
