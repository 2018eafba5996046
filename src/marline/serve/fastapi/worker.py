"""One process: it listens, loads, answers golden requests, serves, and drains on SIGTERM.

``python -m marline.serve.fastapi.worker DIRECTORY INDEX SOCKET``: the directory of the server, which number
this process is, and the file descriptor of the listening socket that it inherits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import uvicorn
from fastapi import FastAPI

from handlerkit.errors import LoadError
from handlerkit.serving import Handler
from marline.serve.fastapi import states
from marline.serve.fastapi.archives import Answer, Asked, answer, load_handler
from marline.serve.fastapi.batching import Batcher
from marline.serve.fastapi.plan import Plan
from marline.serve.fastapi.service import service

KEEP_ALIVE_S = 60
# time to send the answers of a batch that took too long, before the process ends
SAY_SO_S = 0.5


class Listening(socket.socket):
    """A socket whose queue keeps its length.

    asyncio takes as many connections at each wake-up as the queue that it asks for is long, so one process
    would take a whole burst while its neighbours look on.  It asks for 1 here, and the queue stays as it is.
    """

    def listen(self, backlog: int = 1) -> None:
        """It listens since the server made it."""


class Process:
    """The models of one process.

    Args:
        directory: of the server.
        index: which number this process is.
    """

    def __init__(self, directory: Path, index: int) -> None:
        self.plan = Plan.read(directory)
        self.directory = directory
        self.index = index
        self.models: dict[tuple[str, str], Batcher[Asked, Answer]] = {}
        self._said: IO[bytes] | None = None
        # all archives of a process share its CPU, so one computes at a time
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._turn = asyncio.Lock()

    def app(self) -> FastAPI:
        """The application, which loads while it already answers that it is not ready."""
        app = service(self.models, self.plan.names[0], lambda: states.missing(self.directory, self.plan.processes))

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            loading = asyncio.create_task(self._load())
            # one that takes a dead one's place takes connections only when it can answer them
            if states.ready(self.directory, self.plan.processes):
                await loading
            yield
            loading.cancel()
            self._computing.shutdown()

        app.router.lifespan_context = lifespan
        return app

    async def _load(self) -> None:
        loop, models = asyncio.get_running_loop(), {}
        for number, name in enumerate(self.plan.names):
            try:
                handler = await loop.run_in_executor(self._computing, load_handler, self.plan.archive(number))
            except Exception as error:  # said in one sentence that the server finds, whatever it is
                sentence = str(error) if isinstance(error, LoadError) else f"{type(error).__name__}: {error}"
                logging.exception("%s %s did not load", *name)
                self._say(states.State(" ".join(sentence.split()), number))
                return
            models[name] = self._batcher(handler)
        self.models.update(models)
        self._say(states.State())

    def _say(self, state: states.State) -> None:
        self._said = states.say(self.directory, self.index, state)

    def _batcher(self, handler: Handler) -> Batcher[Asked, Answer]:
        plan, loop = self.plan, asyncio.get_running_loop()

        async def compute(batch: Sequence[Asked]) -> list[Answer]:
            # its time counts from when it has the thread, and not while another archive's batch is computed
            async with self._turn:
                try:
                    async with asyncio.timeout(plan.patience_s):
                        return await loop.run_in_executor(self._computing, answer, handler, batch)
                except TimeoutError:
                    # no thread can be ended from outside, so the process ends, and another takes its place
                    loop.call_later(SAY_SO_S, os._exit, 1)
                    raise

        return Batcher(
            compute, size=plan.batch_size, delay_s=plan.delay_s, most=plan.queue_size, patience_s=plan.patience_s
        )


def end_with_the_server() -> None:
    """SIGTERM when the server is gone: it holds the other end of standard input, and never writes."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main(directory: str, index: str, descriptor: str) -> None:
    """Serve until SIGTERM; what was accepted is answered before."""
    threading.Thread(target=end_with_the_server, daemon=True).start()
    process = Process(Path(directory), int(index))
    config = uvicorn.Config(
        process.app(), loop="asyncio", http="httptools", ws="none", lifespan="on", backlog=1,
        log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=int(process.plan.patience_s),
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[Listening(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
