"""One driver at a time: a Lease of the cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from marline.errors import MarlineError
from marline.rollout.kube import Conflict, Kube, Unavailable

# a driver that has not renewed for this long is taken for dead
DURATION_S = 15
RENEW_S = 4.0
SKEW_S = 30.0
PAUSE_S = 0.5


class Lost(MarlineError):
    """Another driver has taken over."""


class Lease:
    """The Lease of one release.

    Args:
        kube: the release's namespace.
        name: of the Lease.
        holder: who wants it; whoever comes again under the same name has it still.
        clock: Unix seconds.
        labels: of the object.
    """

    def __init__(
        self,
        kube: Kube,
        name: str,
        holder: str,
        clock: Callable[[], float] = time.time,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.kube, self.name, self.me, self.clock, self.labels = kube, name, holder, clock, dict(labels or {})
        self._renewed = 0.0
        self._lock = threading.Lock()
        self._lost: Lost | None = None
        # the last renewal of somebody else, and when it was seen first, on this machine's own clock
        self._seen: tuple[str, float] = ("", 0.0)

    def acquire(self) -> str | None:
        """Take it where nobody has it.

        Returns:
            None when it is ours; else who has it, and since when, as a phrase.
        """
        found = self.kube.get("leases", self.name)
        if found is not None and (other := self._other(found["spec"])):
            return other
        body: dict[str, Any] = found or {"metadata": {"name": self.name, "labels": self.labels}, "spec": {}}
        body |= {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        same = body["spec"].get("holderIdentity") == self.me
        began = body["spec"].get("acquireTime") if same else None
        body["spec"] = {
            "holderIdentity": self.me,
            "leaseDurationSeconds": DURATION_S,
            "acquireTime": began or _time(self.clock()),
            "renewTime": _time(self.clock()),
            "leaseTransitions": int(body["spec"].get("leaseTransitions", 0)) + (0 if same else 1),
        }
        try:
            self.kube.replace("leases", body) if found else self.kube.create("leases", body)
        except Conflict:
            now = self.kube.get("leases", self.name)
            return (self._other(now["spec"]) if now else None) or "another driver, this moment"
        self._renewed = self.clock()
        return None

    def wait(self, seconds: float) -> str | None:
        """Take it as soon as it is free; who has it still after so many seconds, None when it is ours."""
        end = time.monotonic() + seconds
        while (other := self.acquire()) is not None and time.monotonic() < end:
            time.sleep(PAUSE_S)
        return other

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it for as long as the block lasts, whatever the block waits for: Helm, or an answer."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(RENEW_S):
                try:
                    self.renew()
                except Lost:
                    return  # the driver hears of it when it breathes
                except MarlineError:
                    continue  # the driver meets the same trouble, and is the one to say so

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def renew(self) -> None:
        """Say that this driver is alive, as often as is needed.

        Raises:
            Lost: when another one has taken over: nothing may be written any more.
        """
        with self._lock:
            if self._lost is not None:
                raise self._lost
            age = self.clock() - self._renewed
            # a clock that was put back says nothing about the age
            if 0 <= age < RENEW_S:
                return
            try:
                other = self.acquire()
            except Unavailable:
                if age < DURATION_S:
                    return  # it is ours still, and nobody else can take it either
                raise
            if other is not None:
                self._lost = Lost(
                    f"leases/{self.name}: {other} has taken over this rollout; see `marline rollout status`"
                )
                raise self._lost

    def holder(self) -> str | None:
        """Who else has it, and since when, as a phrase; None for nobody."""
        found = self.kube.get("leases", self.name)
        return self._other(found["spec"]) if found is not None else None

    def release(self) -> None:
        """Give it back."""
        try:
            found = self.kube.get("leases", self.name)
        except Unavailable:
            return  # it is over after a while by itself
        if found is not None and found["spec"].get("holderIdentity") == self.me:
            found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            try:
                self.kube.replace("leases", found)
            except (Conflict, Unavailable):
                return  # somebody has it already, or will when it is over

    def _other(self, spec: dict[str, Any]) -> str | None:
        """Who has it, as a phrase; None where it is ours or free."""
        holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
        if not holder or holder == self.me or not renewed:
            return None
        duration = float(spec.get("leaseDurationSeconds") or DURATION_S)
        if self._seen[0] != renewed:
            self._seen = (renewed, time.monotonic())
        # clocks of two machines may differ; what has not moved for so long while it was looked at is over as well
        if self.clock() - _seconds(renewed) > duration + SKEW_S or time.monotonic() - self._seen[1] > duration:
            return None
        return f"{holder}, since {spec.get('acquireTime', 'an unknown time')}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
