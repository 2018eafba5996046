from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.rollout.evidence.served import Api, api


@pytest.fixture
def prometheus() -> Iterator[Api]:
    """What answers like Prometheus, without a sample yet."""
    with api() as made:
        yield made
