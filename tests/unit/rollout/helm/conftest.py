from __future__ import annotations

from collections.abc import Iterator

import pytest

from marline.rollout.kube import Kube
from unit.rollout.api_server import Api, kube, served


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def cluster(api: Api) -> Iterator[Kube]:
    with served(api) as url:
        yield kube(url)
