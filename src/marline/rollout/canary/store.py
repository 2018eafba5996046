"""A rollout in a ConfigMap: its plan, how far it has come, its record, orders from people, and the records before it."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any

from marline.errors import MarlineError
from marline.rollout.canary import record as records
from marline.rollout.canary.plan import Plan
from marline.rollout.canary.record import Record
from marline.rollout.canary.state import State
from marline.rollout.kube import Conflict, Kube, Object

HISTORY = "record-"
MOST_RECORDS = 10
# of the 1 MiB that a ConfigMap holds, in base64
MOST_HISTORY_BYTES = 500_000
ATTEMPTS = 10


class Gone(MarlineError):
    """The ConfigMap holds the rollout no longer: nothing may be written any more."""


@dataclass
class Held:
    """What the ConfigMap holds of the last rollout."""

    plan: Plan
    state: State
    record: Record
    order: dict[str, Any] | None


class Store:
    """One release's ConfigMap.

    Args:
        kube: the release's namespace.
        name: of the ConfigMap.
        release: for its label.
    """

    def __init__(self, kube: Kube, name: str, release: str) -> None:
        self.kube, self.name, self.release = kube, name, release

    def load(self) -> Held | None:
        """What is there; None before the first rollout.

        Raises:
            MarlineError: for a ConfigMap that holds something else.
        """
        found = self.kube.get("configmaps", self.name)
        return None if found is None else self._held(found)

    def begin(self, plan: Plan, state: State, record: Record) -> Held | None:
        """Write a new rollout over one that is over, and keep that one's record.

        Returns:
            None when it is written; else the one that is not over yet, and nothing is written.
        """
        for _ in range(ATTEMPTS):
            found = self.kube.get("configmaps", self.name)
            if found is not None and not (held := self._held(found)).state.over:
                return held
            old = _history(found) if found else {}
            body = found or {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self._metadata()}
            body["data"] = _data(plan, state)
            body["binaryData"] = {**old, "record": _packed(record)}
            try:
                self.kube.replace("configmaps", body) if found else self.kube.create("configmaps", body)
            except Conflict:
                continue
            return None
        raise MarlineError(f"configmaps/{self.name}: changes faster than it can be written; try again")

    def save(self, plan: Plan, state: State, record: Record) -> dict[str, Any] | None:
        """Write how far the rollout has come.

        Returns:
            The order that a person has given and nobody has carried out yet, if any.

        Raises:
            Gone: when the ConfigMap is gone, or holds another rollout.
        """
        for _ in range(ATTEMPTS):
            found = self.kube.get("configmaps", self.name)
            if found is None or json.loads(found["data"]["plan"])["id"] != plan.id:
                raise Gone(
                    f"configmaps/{self.name}: holds rollout {plan.id} no longer; the release stays as it is: see "
                    "`marline rollout status`"
                )
            found["data"] = {**found["data"], **_data(plan, state)}
            found["binaryData"] = {**(found.get("binaryData") or {}), "record": _packed(record)}
            try:
                self.kube.replace("configmaps", found)
            except Conflict:
                continue  # a person gave an order meanwhile
            order = found["data"].get("order")
            return json.loads(order) if order else None
        raise MarlineError(f"configmaps/{self.name}: changes faster than it can be written; try again")

    def order(self, order: dict[str, Any]) -> None:
        """Give an order to the driver of the rollout that the ConfigMap holds."""
        self.kube.patch("configmaps", self.name, {"data": {"order": json.dumps(order)}}, "marline")

    def carried_out(self, order: dict[str, Any]) -> None:
        """Take an order away, unless it is another one already."""
        for _ in range(ATTEMPTS):
            found = self.kube.get("configmaps", self.name)
            if found is None or found["data"].get("order") != json.dumps(order):
                return
            del found["data"]["order"]
            try:
                self.kube.replace("configmaps", found)
            except Conflict:
                continue
            return
        raise MarlineError(f"configmaps/{self.name}: changes faster than it can be written; try again")

    def history(self) -> list[Record]:
        """Records of all rollouts that are kept, the oldest first."""
        found = self.kube.get("configmaps", self.name)
        if found is None:
            return []
        binary = found.get("binaryData") or {}
        old = [_unpacked(text) for key, text in sorted(binary.items()) if key.startswith(HISTORY)]
        return [*old, self._held(found).record]

    def _metadata(self) -> dict[str, Any]:
        labels = {"app.kubernetes.io/instance": self.release, "app.kubernetes.io/component": "rollout"}
        return {"name": self.name, "labels": {**labels, "app.kubernetes.io/managed-by": "marline"}}

    def _held(self, found: Object) -> Held:
        try:
            data = found["data"]
            order = json.loads(data["order"]) if data.get("order") else None
            return Held(
                Plan.from_json(json.loads(data["plan"])),
                State.from_json(json.loads(data["state"])),
                _unpacked(found["binaryData"]["record"]),
                order,
            )
        except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
            raise MarlineError(
                f"configmaps/{self.name} in namespace {self.kube.namespace}: holds no rollout that this version knows "
                f"({type(error).__name__}: {error}); delete it when no rollout runs"
            ) from error


def _data(plan: Plan, state: State) -> dict[str, str]:
    return {"plan": json.dumps(plan.to_json()), "state": json.dumps(state.to_json(), allow_nan=False)}


def _history(found: Object) -> dict[str, str]:
    """Records of rollouts that are over, as many as there is place for."""
    binary = found.get("binaryData") or {}
    kept = {key: text for key, text in binary.items() if key.startswith(HISTORY)}
    last = json.loads(found["data"]["plan"])["id"]
    kept[f"{HISTORY}{last}"] = binary["record"]
    out: dict[str, str] = {}
    for key in sorted(kept, reverse=True)[:MOST_RECORDS]:
        if sum(map(len, out.values())) + len(kept[key]) <= MOST_HISTORY_BYTES:
            out[key] = kept[key]
    return out


def _packed(record: Record) -> str:
    # without the time in it, so that the same record is the same text
    return base64.b64encode(gzip.compress(json.dumps(record, allow_nan=False).encode(), mtime=0)).decode()


def _unpacked(text: str) -> Record:
    record: Record = json.loads(gzip.decompress(base64.b64decode(text)))
    if record.get("schema_version") != records.SCHEMA_VERSION:
        raise ValueError(f"schema_version {record.get('schema_version')!r} of a record")
    return record
