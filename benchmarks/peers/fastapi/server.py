"""FastAPI on uvicorn: two worker processes on one socket, each with its own batcher.

As uvicorn's and FastAPI's documentation have it: ``workers``, uvloop and httptools, no access log, a pydantic
model in and out (FastAPI serializes it in Rust), the blocking model in a thread, so that the loop goes on reading.
FastAPI itself batches nothing; the queue below is the one its users write.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel
from shared import settings, slots
from shared.classifier import Classifier

from handlerkit.errors import RequestError

SETTINGS = settings.read(Path(__file__).parent)


class Question(BaseModel):
    """What is asked."""

    text: str


class Answer(BaseModel):
    """What is answered."""

    label: str
    confidence: float
    scores: dict[str, float]
    tokens: int
    truncated: bool


class Batcher:
    """Texts that wait are computed together, at most ``batch`` of them, the first waiting ``wait_ms`` at most."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._queue: asyncio.Queue[tuple[str, asyncio.Future[Any]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1)

    async def ask(self, text: str) -> dict[str, Any]:
        """The answer to one text, computed in whatever batch it falls into."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((text, answer))
        return await answer

    async def run(self) -> None:
        """Compute batches until cancelled."""
        while True:
            asked = await self._gather()
            try:
                answers = await self._compute([text for text, _ in asked])
            except RequestError as error:
                answers = [error] * len(asked)
            for (_, waiting), answer in zip(asked, answers, strict=True):
                if waiting.cancelled():
                    continue
                if isinstance(answer, RequestError):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)

    async def _compute(self, texts: list[str]) -> list[Any]:
        if SETTINGS.options.get("thread") == "off":
            return self._classifier.classify(texts)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._classifier.classify, texts)

    async def _gather(self) -> list[tuple[str, asyncio.Future[Any]]]:
        asked = [await self._queue.get()]
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTINGS.wait_ms / 1000
        while len(asked) < SETTINGS.batch:
            if not self._queue.empty():
                asked.append(self._queue.get_nowait())
                continue
            if (left := end - loop.time()) <= 0:
                break
            try:
                asked.append(await asyncio.wait_for(self._queue.get(), left))
            except TimeoutError:
                break
        return asked


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model on this worker's CPU before the first request is accepted."""
    slot = slots.take(SETTINGS.processes)
    app.state.batcher = Batcher(Classifier(SETTINGS.archive))
    running = asyncio.create_task(app.state.batcher.run())
    slots.loaded(slot)
    yield
    running.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health(response: Response) -> dict[str, bool]:
    """200 when every worker has loaded its model, 503 before."""
    ready = slots.all_loaded(SETTINGS.processes)
    response.status_code = 200 if ready else 503
    return {"ready": ready}


@app.post("/predict")
async def predict(question: Question) -> Answer:
    """One text, one answer."""
    return await app.state.batcher.ask(question.text)


if __name__ == "__main__":
    slots.make()
    uvicorn.run(
        "server:app",
        host=SETTINGS.host,
        port=SETTINGS.port,
        workers=SETTINGS.processes,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
    )
