"""What was said and what was so, every 100 ms: readiness beside real answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from pods.chart import ask
from pods.load import QUESTIONS, wrong

PERIOD_S = 0.1
# an answer that takes longer is none: a client of an interactive service has gone by then
PATIENCE_S = 1.5


@dataclass
class Samples:
    """Pairs of (second since the start, said ready, answered rightly)."""

    pairs: list[tuple[float, bool, bool]] = field(default_factory=list)

    def disagreements(self) -> list[tuple[float, float]]:
        """Spans (from, to) in which every sample contradicts."""
        spans: list[tuple[float, float]] = []
        opened: float | None = None
        for when, said, so in sorted(self.pairs):
            if said != so:
                opened = when if opened is None else opened
                last = when
            elif opened is not None:
                spans.append((opened, last))
                opened = None
        if opened is not None:
            spans.append((opened, last))
        return spans

    def longest(self) -> float:
        """Seconds of the longest contradiction."""
        return max((end - start for start, end in self.disagreements()), default=0.0)

    def beyond(self, seconds: float) -> int:
        """Samples that contradict although nothing has really changed for ``seconds``."""
        count, changed, before = 0, 0.0, None
        for when, said, so in sorted(self.pairs):
            if so != before:
                changed, before = when, so
            count += said != so and when - changed > seconds
        return count

    def __str__(self) -> str:
        said, so = (sum(p[i] for p in self.pairs) for i in (1, 2))
        return (
            f"{len(self.pairs)} samples, said ready {said}, answered rightly {so}, "
            f"longest contradiction {self.longest():.1f} s, contradicting beyond 2 s: {self.beyond(2.0)}"
        )


@contextmanager
def sampled(said: Callable[[], bool], so: Callable[[], bool]) -> Iterator[Samples]:
    """Sample both at the same moments from the block's begin to its end."""
    samples, stop, started = Samples(), threading.Event(), time.monotonic()
    broken: list[BaseException] = []

    def loop() -> None:
        with ThreadPoolExecutor(64) as pool:

            def one(when: float) -> None:
                real = pool_answers.submit(so)
                samples.pairs.append((when, said(), real.result()))

            with ThreadPoolExecutor(64) as pool_answers:
                taken = []
                while not stop.is_set():
                    taken.append(pool.submit(one, time.monotonic() - started))
                    stop.wait(max(0.0, started + len(taken) * PERIOD_S - time.monotonic()))
                broken.extend(error for sample in taken if (error := sample.exception()))

    thread = threading.Thread(target=loop, name="sampling")
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()
    if broken:
        raise broken[0]


def says(url: str) -> Callable[[], bool]:
    """Whether an endpoint answers 200 within a second."""
    return lambda: ask(url, timeout=1.0)[0] == 200


def answers(url: str) -> Callable[[], bool]:
    """Whether a question gets its right answer."""
    text, label = QUESTIONS[0]
    return lambda: not wrong(*ask(url, {"text": text}, PATIENCE_S), label)
