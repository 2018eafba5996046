"""Does a rollout: goes on from where it stands, whoever was killed at it before, until it is over.

Every phase can be done again from its beginning, and is entered by one write to the store. Whatever goes wrong on the
way to the candidate leads back; on the way back the weights come first and wait for nothing.
"""

from __future__ import annotations

import copy
import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from marline.errors import MarlineError
from marline.rollout.canary import phases
from marline.rollout.canary import record as records
from marline.rollout.canary.ends import Abort, Foreign, Unwritten
from marline.rollout.canary.hands import Hands
from marline.rollout.canary.lease import Lease, Lost
from marline.rollout.canary.state import State
from marline.rollout.canary.store import Gone, Held, Store
from marline.rollout.kube import Kube, Unavailable

T = TypeVar("T")
PAUSE_S = 0.5
SAVE_S = 1.0
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Tools:
    """What a driver works with.

    Attributes:
        kube: the release's namespace.
        helm: the program.
        store: where the rollout is.
        lease: held already.
        patience_s: how long a Helm may still be at work that outlived an earlier driver.
        say: gets a sentence for everything that happens.
    """

    kube: Kube
    helm: Path
    store: Store
    lease: Lease
    patience_s: float
    say: Callable[[str], None]


class Driver:
    """One rollout, until it is over.

    Args:
        tools: what it works with.
        held: the rollout.
    """

    def __init__(self, tools: Tools, held: Held) -> None:
        self.tools, self.plan, self.state, self.record = tools, held.plan, held.state, held.record
        self.hands = Hands(tools.kube, tools.helm, held.plan, tools.patience_s, self.breathe)
        self._saved = self._without_api = 0.0

    def run(self) -> State:
        """Go on until it is over.

        Raises:
            Lost: when another driver has taken over.
            Gone: when the rollout was deleted.
            MarlineError: when it cannot go on here, or the API server is away for minutes; whoever starts it again goes on from the same place.
        """
        if self.record["events"]:
            self.note("resumed", f"Goes on in phase {self.state.phase}, as {self.tools.lease.me}.")
        while not self.state.over:
            try:
                if self.state.phase != "back":
                    # an order that came while nobody drove is heard before anything is done
                    self.save()
                phases.PHASES[self.state.phase](self)
            except (Lost, Gone, Unwritten):
                raise
            except Unavailable as error:
                self._patiently(error)
            except Foreign as error:
                self.end("stopped", str(error))
            except Abort as error:
                self.go_back(str(error))
            except MarlineError as error:
                if self.state.phase == "back":
                    raise
                self.go_back(str(error))
        return self.state

    def _patiently(self, error: Unavailable) -> None:
        """Wait for the API server: whoever starts this driver again would wait longer each time."""
        now = time.monotonic()
        self._without_api = self._without_api or now
        if now - self._without_api > PATIENCE_S:
            raise error
        if self._without_api == now:
            self.tools.say(f"{error}; tried again for {PATIENCE_S:g} s")
        time.sleep(PAUSE_S)

    @staticmethod
    def now() -> float:
        """Unix seconds: they go on while no driver runs."""
        return time.time()

    def note(self, kind: str, text: str) -> None:
        """Tell people, now and later."""
        records.event(self.record, self.now(), kind, text)
        self.tools.say(text)

    def breathe(self) -> None:
        """What has to happen all the time: keep the lease, hear orders."""
        self.tools.lease.renew()
        if time.monotonic() - self._saved >= SAVE_S:
            self.save()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(PAUSE_S, left))
            self.breathe()

    def save(self) -> None:
        """Write where the rollout is, and carry out an order.

        Raises:
            Abort: when a person orders that.
        """
        order = self.tools.store.save(self.plan, self.state, self.record)
        self._saved, self._without_api = time.monotonic(), 0.0
        if not order:
            return
        known = order.get("rollout") != self.plan.id or order["at"] == self.state.heard
        if not known and self.state.phase not in ("back", "done"):
            self.note("person", f"{order['by']} orders: {order['verb']}.")
            if order["verb"] == "abort":
                # it stays until the way back is written down: whoever is killed before that hears it again
                raise Abort(f"{order['by']} ordered it.")
            self.state.skip, self.state.heard = order["verb"], order["at"]
            self.tools.store.save(self.plan, self.state, self.record)
        self.tools.store.carried_out(order)

    def enter(self, phase: phases.Phase) -> None:
        """Go on to a phase, and write that down first."""
        self.state.enter(phase, self.now())
        self.save()

    def go_back(self, reason: str) -> None:
        """Roll back; nothing is written first, because the weights come before everything."""
        self.state.reason = reason
        self.note("abort", reason)
        self.state.enter("back", self.now())

    def end(self, outcome: phases.Outcome, reason: str) -> None:
        """The rollout is over, once that is written down.

        Raises:
            Unwritten: when it cannot be; the release is as it should be already.
        """
        at = self.now()
        ended = dataclasses.replace(self.state, outcome=outcome, reason=reason, judge=None)
        ended.enter("done", at)
        record = copy.deepcopy(self.record)
        records.event(record, at, outcome, reason)
        records.end(record, ended, at)
        try:
            self.tools.store.save(self.plan, ended, record)
        except (Lost, Gone, Unavailable):
            raise
        except MarlineError as error:
            raise Unwritten(str(error)) from error
        self.state, self.record = ended, record
        self.tools.say(reason)

    def meanwhile(self, work: Callable[[], T]) -> T:
        """Wait for something that takes its time, and breathe."""
        future: Future[T] = Future()

        def do() -> None:
            try:
                future.set_result(work())
            except Exception as error:  # noqa: BLE001  whoever waits meets it, whatever it is
                future.set_exception(error)

        threading.Thread(target=do, daemon=True).start()
        while not future.done():
            wait([future], PAUSE_S)
            self.breathe()
        return future.result()
