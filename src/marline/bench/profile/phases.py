"""A handler's phases, timed where they are called, on the way that every request takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from handlerkit.serving import Handler
from marline.serve.fastapi.archives import Answer, Asked, answer

TOKENIZER, GROUPING, MODEL, PRESENTING = "tokenizer", "grouping", "model", "presenting"
PHASES = (TOKENIZER, GROUPING, MODEL, PRESENTING)
REQUESTS = "requests"
Mark = Callable[[str], AbstractContextManager[Any]]


@dataclass
class Spans:
    """When each phase ran.

    Attributes:
        spans: phase, start and end in seconds of one monotonic clock, in order of their ends.
    """

    spans: list[tuple[str, float, float]] = field(default_factory=list)

    def seconds(self, phase: str) -> float:
        """All spans of a phase together."""
        return sum(end - start for name, start, end in self.spans if name == phase)

    def count(self, phase: str) -> int:
        """How often a phase ran."""
        return sum(name == phase for name, _, _ in self.spans)

    def split(self) -> dict[str, tuple[int, float]]:
        """Calls and milliseconds of each phase; what a phase spends in another one is the other's."""
        found = {phase: (self.count(phase), self.seconds(phase) * 1000) for phase in PHASES}
        calls, ms = found[GROUPING]
        found[GROUPING] = (calls, ms - found[MODEL][1])
        return found

    @property
    def whole_ms(self) -> float:
        """The requests from body to body, in milliseconds."""
        return self.seconds(REQUESTS) * 1000


def no_mark(_: str) -> AbstractContextManager[Any]:
    """Marks nothing."""
    return nullcontext()


@contextmanager
def timed(handler: Handler, mark: Mark = no_mark) -> Iterator[Spans]:
    """Time the phases of everything that the handler answers inside the block.

    Args:
        handler: a loaded handler; it is as before after the block.
        mark: entered around each phase, for a profiler's own timeline.
    """
    found = Spans()

    def around(phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any) -> Any:
            with mark(phase):
                started = time.perf_counter()
                try:
                    return call(*arguments)
                finally:
                    found.spans.append((phase, started, time.perf_counter()))

        return measured

    places: list[tuple[Any, str, str]] = [
        (handler, "prepare", TOKENIZER), (handler, "compute", GROUPING), (handler, "present", PRESENTING),
        (handler.backend, "run", MODEL), (handler, "handle", REQUESTS),
    ]  # fmt: skip
    for owner, name, phase in places:
        setattr(owner, name, around(phase, getattr(owner, name)))
    try:
        yield found
    finally:
        for owner, name, _ in places:
            delattr(owner, name)  # the class's own shows again


def ask(handler: Handler, bodies: Sequence[bytes], batch: int) -> list[Answer]:
    """Ask in batches of ``batch``, as a worker is asked."""
    found = []
    for start in range(0, len(bodies), batch):
        found += answer(handler, [Asked({"body": body}) for body in bodies[start : start + batch]])
    return found
