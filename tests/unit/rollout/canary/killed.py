"""A driver that dies at a certain call of the API server, and everything of its process with it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from marline.rollout.analysis import Series
from marline.rollout.canary import driver, hands, lease, phases, watching
from marline.rollout.evidence import Look
from marline.rollout.helm import upgrade
from marline.rollout.kube import Kube
from unit.rollout.api_server import NAMESPACE, Api
from unit.rollout.canary.world import World


class Killed(BaseException):
    """The end of a process; nobody catches it."""


@dataclass
class Response:
    status: int
    text: bytes

    def read(self) -> bytes:
        return self.text


class Client:
    """Stands for the client of the ``kubernetes`` package, without HTTP.

    Attributes:
        count: of calls so far.
        die_at: number of the call that the process does not come to any more; 0 for none.
    """

    def __init__(self, api: Api) -> None:
        self.api, self.count, self.die_at = api, 0, 0

    def param_serialize(self, method: str, path: str, **rest: Any) -> tuple[Any, ...]:
        query = "&".join(f"{key}={value}" for key, value in rest["query_params"])
        return method, f"{path}?{query}", rest["header_params"]["Content-Type"], rest["body"]

    def call_api(self, method: str, target: str, kind: str, body: Any, **_: Any) -> Response:
        self.count += 1
        if self.die_at and self.count >= self.die_at:
            raise Killed
        return Response(*self.api.handle(method, target, kind, copy.deepcopy(body)))

    def of_helm(self, method: str, target: str, kind: str, body: Any) -> tuple[int, Any]:
        """A call of the Helm that dies with the process."""
        answer = self.call_api(method, target, kind, body)
        return answer.status, json.loads(answer.text)


class Counted:
    """Stands for Prometheus: what the world counts."""

    def __init__(self, small: World) -> None:
        self.small = small

    def look(self, namespace: str, stable: Any, candidate: Any, metrics: Any, at: float) -> Look:
        found = {pod: Series(answers=a, errors=e) for pod, (a, e) in self.small.counted().items()}
        return Look({p: s for p, s in found.items() if p in stable}, {p: s for p, s in found.items() if p in candidate})


@contextmanager
def without_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, Client]]:
    """A world in one thread, and the client whose process can die; Helm dies with it."""
    api = Api()
    client = Client(api)
    small = World(api, Kube(client, NAMESPACE))  # type: ignore[arg-type]
    api.written = small.settle
    with monkeypatch.context() as patch:
        patch.setenv("MARLINE_HOLDER", "pod-1")
        for module in (driver, hands, lease, upgrade):
            patch.setattr(module, "PAUSE_S", 0.0001)
        patch.setattr(upgrade, "run", lambda *command: small.helm_here(*command, ask=client.of_helm))
        patch.setattr(watching, "Prometheus", lambda address: Counted(small))
        patch.setattr(phases, "wrong", lambda pods: None)
        yield small, client
