"""What is true about a server, from what was observed; no clock and no socket of its own.

Ready means that requests are answered rightly.  Evidence for it are workers that the Describe API calls
READY (they have answered their golden requests) and a golden answer over HTTP.  Load is no evidence
against it: a Describe that comes late says nothing while answers come through.  Nor is the observer's own
lateness: only time in which it looked at the server counts as the server's silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NEVER = float("-inf")
# nothing heard for this long, neither Describe nor an answer: the server is stopped or wedged
SILENCE_S = 1.5
# between two looks no more than this counts: the rest is a pause of the observer, who heard nothing because of it
PAUSE_S = 0.25
# no load explains a silence of this length
WEDGED_S = 10.0
# TorchServe gives a worker up for good after 300 s of failed restarts, and goes on without it
ABANDONED_S = 330.0


@dataclass
class Truth:
    """Observations of one server and what follows from them.

    Times are seconds of any one monotonic clock; process ids are those of the server's own namespace.

    Attributes:
        who: the version that has to be served, as a person would say it.
        workers: how many workers it should have.
        started: when observation began.
        ready: its workers that have loaded.
        pending: requests in its queue.
        capacity: requests that its queue holds at most.
        draining: the pod is about to end.
        reason: why nothing was loaded when it was last looked at.
        looked: when somebody last looked.
    """

    who: str
    workers: int
    started: float
    ready: frozenset[int] = frozenset()
    pending: int = 0
    capacity: int = 0
    draining: bool = False
    reason: str = "the server has not started yet"
    looked: float = NEVER
    _wrong: str = ""
    _checked: frozenset[int] = frozenset()
    _seen: set[int] = field(default_factory=set)
    _described: float = NEVER
    _answered: float = NEVER
    _loaded: float = NEVER
    _silent: float = 0.0

    @property
    def restarts(self) -> int:
        """Workers that came in place of another one."""
        return max(0, len(self._seen) - self.workers)

    @property
    def unchecked(self) -> bool:
        """Whether the golden request has to be asked: a worker is new, or the last answer was wrong."""
        return bool(self.ready) and (bool(self._wrong) or not self.ready <= self._checked)

    def look(self, now: float) -> None:
        """Somebody looks for signs of life; to be called more often than every :data:`PAUSE_S`."""
        self._silent, self.looked = self._silence(now), now

    def _silence(self, now: float) -> float:
        return self._silent + min(now - self.looked, PAUSE_S)

    def _heard(self, now: float) -> None:
        self._silent, self.looked = 0.0, now

    def described(self, now: float, ready: frozenset[int], pending: int, free: int) -> None:
        """The Describe API has answered for the version.

        Args:
            now: when.
            ready: its workers that are READY.
            pending: requests in its queue.
            free: places left in its queue.
        """
        self.ready, self.pending, self.capacity, self._described = ready, pending, pending + free, now
        self._heard(now)
        self._seen |= ready
        if ready:
            self._loaded = now

    def not_loaded(self, reason: str) -> None:
        """Why no worker is ready, from the logs."""
        self.reason = reason

    def unregistered(self, now: float) -> None:
        """The server answers, and does not have the version."""
        self.ready, self._described = frozenset(), now
        self._heard(now)
        self.reason = "the server did not register it"

    def gone(self) -> None:
        """Nothing listens on the management socket: the server has ended, or has not started."""
        self.ready = self._checked = frozenset()
        self.reason = "the server does not run"

    def answered(self, now: float) -> None:
        """A request got its answer from a worker."""
        self._answered = now
        self._heard(now)

    def golden(self, now: float, asked: frozenset[int], wrong: str) -> None:
        """The golden request was answered.

        Args:
            now: when.
            asked: the workers that were ready when it was asked.
            wrong: how the answer differs from the record; empty when it is right.
        """
        self._wrong = wrong
        self.answered(now)
        if not wrong:
            self._checked = asked

    def unready(self, now: float) -> str:
        """Why the server cannot answer rightly; empty when it can."""
        if not self.ready:
            return f"{self.who} has no worker ready: {self.reason}"
        if self._wrong:
            return f"{self.who} answers wrongly: {self._wrong}"
        if not self._checked:
            return f"{self.who} has not answered its golden request yet"
        if (silent := self._silence(now)) > SILENCE_S:
            return f"{self.who} has said nothing for {silent:.1f} s: neither Describe nor an answer"
        return ""

    def dead(self, now: float) -> str:
        """Why only a restart of the server helps; empty while there is hope."""
        if (silent := now - max(self._described, self._answered, self.started)) > WEDGED_S:
            return f"the server has said nothing for {silent:.0f} s"
        if (without := now - max(self._loaded, self.started)) > ABANDONED_S:
            return f"{self.who} has had no worker ready for {without:.0f} s"
        return ""
