"""Requests to both versions at once, besides those of users, and how many were not answered alike."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

from marline.errors import MarlineError, SourceError
from marline.rollout.analysis import Replay
from marline.rollout.replay import Endpoint, Item, Questions, Reply
from marline.rollout.replay.judge import REFUSALS, compared

CLIENTS = 2
MOST_PAIRS = 2000
Pair = tuple[Item, Reply, Reply]


class TopUp:
    """Asks until stopped, in threads of its own.

    Args:
        stable: whose answers count as right.
        candidate: whose answers are compared.
        items: what is asked, over and over.
        rate: pairs per second.
    """

    def __init__(self, stable: Endpoint, candidate: Endpoint, items: Sequence[Item], rate: float) -> None:
        self.stable, self.candidate, self.items, self.rate = stable, candidate, tuple(items), rate
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._pairs: list[Pair] = []
        self._next, self._began = 0, 0.0
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]
        self.asked = 0

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, once the requests in flight are answered or a few seconds are over."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(2.0)

    def take(self) -> tuple[Replay | None, str]:
        """What was compared since the last time, and the first difference (or what hindered) as a phrase.

        Pairs that stable did not answer say nothing about the candidate, and do not count.
        """
        with self._lock:
            usable = [pair for pair in self._pairs if pair[1].status == 200 or pair[1].status in REFUSALS]
            self._pairs = []
        total, bad, said = 0, 0, ""
        for pairs in _rounds(usable):
            questions = Questions("requests of the rollout", tuple(item for item, _, _ in pairs))
            try:
                outcome = compared(questions, self.stable.address, self.candidate, pairs, None)
            except SourceError:
                with self._lock:  # too few embeddings: they are compared with the next ones
                    self._pairs = [*pairs, *self._pairs]
                continue
            except MarlineError as error:
                # answers that nothing can be said about: no evidence, and the deadline decides
                return None, str(error)
            wrong = [*outcome.failed, *outcome.differing]
            total, bad = total + outcome.compared + len(outcome.failed), bad + len(wrong)
            said = said or (f"{wrong[0].id}: {wrong[0].reason}" if wrong else "")
        return (Replay(total, min(bad, total)) if total else None), said

    def _ask(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                number, self._next = self._next, self._next + 1
            due = self._began + number / self.rate
            now = time.monotonic()
            if now - due > 1.0:
                # too slow for the rate: what was missed is not made up for in a burst
                with self._lock:
                    self._began += now - due
            elif self._stopped.wait(max(0.0, due - now)):
                return
            item = self.items[number % len(self.items)]
            one, other = self.stable.ask(item.request), self.candidate.ask(item.request)
            with self._lock:
                # too few different embeddings are never compared, and must not be kept for ever
                self._pairs = [*self._pairs, (item, one, other)][-MOST_PAIRS:]
                self.asked += 1


def _rounds(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs in groups without the same item twice: an embedding's nearest neighbour would be its own repetition."""
    rounds: list[list[Pair]] = []
    seen: Counter[str] = Counter()
    for pair in pairs:
        number = seen[pair[0].id]
        seen[pair[0].id] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(pair)
    return rounds
