"""Rounds in turns: each contender beside a bare loop of the same minute, so that ratios hold on a machine that drifts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marline.bench import wrk
from marline.bench.contenders import Contender, Up, pause, resume, settle
from marline.bench.questions import Question
from marline.bench.raw import Batching, Raw, RawRun
from marline.bench.usage import cpu_seconds
from marline.errors import BenchError, MarlineError

LONE = 1
SETTLE_S = 1.0
# the kernel counts CPU time in hundredths of a second
TICK = 0.01


@dataclass(frozen=True)
class Turn:
    """One contender in one round: a bare loop, then load on the server.

    Attributes:
        raw: the bare loop directly before.
        loaded: by number of connections.
        cpu_seconds: of the server's whole tree, by number of connections.
    """

    raw: RawRun
    loaded: dict[int, wrk.Closed]
    cpu_seconds: dict[int, float]

    def rate_ratio(self, connections: int) -> float:
        """Answers per second over the bare loop's."""
        return self.loaded[connections].rate / self.raw.rate

    def cpu_ratio(self, connections: int) -> float:
        """Answers per CPU second over the bare loop's."""
        own = self.loaded[connections].right / max(TICK, self.cpu_seconds[connections])
        return own / (self.raw.right / self.raw.cpu_seconds)


@dataclass
class Comparison:
    """All rounds: contender name to its turns, and one sentence for each that did not start."""

    batching: Batching
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How long and how often.

    Attributes:
        rounds: turns of each contender.
        seconds: of load at each number of connections; the bare loop runs as long.
        warm_seconds: of load before the first round: a JVM compiles while it warms up.
        connections: numbers of connections; 1 is added for the latency of a lone request.
    """

    rounds: int = 5
    seconds: float = 6
    warm_seconds: float = 20
    connections: tuple[int, ...] = (16,)


def compare(
    contenders: Sequence[Contender], raw: Raw, batching: Batching, asked: Sequence[Question], plan: Plan, work: Path,
    say: Callable[[str], None],
) -> Comparison:  # fmt: skip
    """Run all rounds; a contender that does not start, or is lost on the way, is left out and named.

    Args:
        contenders: servers.
        raw: the bare loops, running.
        batching: of the bare loops, the best one.
        asked: questions.
        plan: how long and how often.
        work: a directory for the questions' files.
        say: progress.
    """
    found = Comparison(batching)
    with ExitStack() as running:
        up: dict[str, Up] = {}
        files: dict[str, Path] = {}
        for contender in contenders:
            path = work / f"{contender.name}.lua"
            wrk.write_requests(path, contender.asked or asked, contender.path, contender.body, contender.label)
            own = running.enter_context(ExitStack())
            try:
                server = own.enter_context(contender.start())
                own.callback(resume, server)
                wrk.closed(server.url, path, max(plan.connections), plan.warm_seconds)
                pause(server)
            except MarlineError as error:
                own.close()
                found.absent[contender.name] = str(error)
                say(f"{contender.name}: not started: {error}")
                if contender is contenders[0]:
                    return found  # nothing to compare with
                continue
            up[contender.name], files[contender.name], found.turns[contender.name] = server, path, []
            say(f"{contender.name}: ready")
        names = list(up)
        for number in range(plan.rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                if name in found.absent:
                    continue
                bare = raw.run(batching, plan.seconds)
                if not bare.right:
                    raise BenchError("the bare loop gave no right answer; its model or its questions are damaged")
                try:
                    turn = _turn(up[name], files[name], bare, plan)
                except BenchError as error:
                    found.absent[name] = f"lost in round {number + 1}: {error}"
                    del found.turns[name]
                    continue
                found.turns[name].append(turn)
                say(_line(number, name, turn, plan))
    return found


def _turn(up: Up, requests: Path, bare: RawRun, plan: Plan) -> Turn:
    loaded: dict[int, wrk.Closed] = {}
    used: dict[int, float] = {}
    resume(up)
    try:
        # caches are cold, and what watches itself has to see that it is well
        wrk.closed(up.url, requests, max(plan.connections), SETTLE_S)
        for connections in sorted({LONE, *plan.connections}):
            settle(up)
            before = cpu_seconds(*up.pids)
            loaded[connections] = wrk.closed(up.url, requests, connections, plan.seconds)
            used[connections] = cpu_seconds(*up.pids) - before
    finally:
        pause(up)
    return Turn(bare, loaded, used)


def _line(number: int, name: str, turn: Turn, plan: Plan) -> str:
    most = max(plan.connections)
    run = turn.loaded[most]
    return (
        f"round {number + 1} {name}: {run.rate:.0f}/s, {turn.rate_ratio(most):.3f} of the bare loop, "
        f"per CPU second {turn.cpu_ratio(most):.3f}; p50 alone {turn.loaded[LONE].p50_ms:.2f} ms"
        + (f"; {run.wrong} wrong, {run.refused} refused, {run.lost} lost" if run.wrong + run.refused + run.lost else "")
    )


def as_json(found: Comparison) -> dict[str, Any]:
    """The comparison for the report, without summaries."""
    return {
        name: [
            {
                "raw": vars(turn.raw),
                "loaded": {str(c): {**vars(run), "cpu_seconds": turn.cpu_seconds[c]} for c, run in turn.loaded.items()},
            }
            for turn in turns
        ]
        for name, turns in found.turns.items()
    }
