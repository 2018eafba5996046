"""The handler skeleton: one answer per request, one error per bad request, golden before loaded.

A handler in ``handlers/`` is a subclass with three short methods.  TorchServe gives strangers'
requests to one ``handle`` call; whatever is wrong with one of them stays with that one.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handlerkit import backends, golden
from handlerkit import manifest as manifests
from handlerkit.cache import Cache
from handlerkit.deadline import EXPIRED, HEADER, expired
from handlerkit.errors import LoadError, RequestError
from handlerkit.requests import Question, body_of, questions

LOAD_ERROR_MARK = "marline load error: "
Outputs = Mapping[str, np.ndarray]
# most bytes of kept answers, whatever number of them is allowed
CACHE_BYTES = 16 << 20
CACHE_METRICS = ("marline_cache_hits_total", "marline_cache_misses_total")


class Handler:
    """What TorchServe calls.  Subclasses define :meth:`setup`, :meth:`prepare`, :meth:`compute`, :meth:`present`."""

    item_key = "text"
    # one per loaded archive, so per version and variant; None computes every question
    cache: Cache | None = None

    def initialize(self, context: Any) -> None:
        """Load the artifact beside this handler and answer its golden requests.

        Args:
            context: TorchServe's context; ``system_properties["model_dir"]`` is the unpacked archive.

        Raises:
            LoadError: when the archive cannot be loaded, or answers a golden request wrongly.  The
                reason is logged as one line that starts with ``marline load error:``.
        """
        try:
            self.load(Path(context.system_properties["model_dir"]))
        except Exception as error:  # logged in one line that a server can find, whatever it is
            sentence = str(error) if isinstance(error, LoadError) else f"{type(error).__name__}: {error}"
            logging.error("%s%s", LOAD_ERROR_MARK, " ".join(sentence.split()))
            if isinstance(error, LoadError):
                raise
            raise LoadError(sentence) from error  # the one kind that TorchServe answers with

    def load(self, directory: Path, threads: int | None = None) -> None:
        """Load the artifact in ``directory``; ``threads`` defaults to MARLINE_THREADS, else 1."""
        self.manifest = manifests.read(directory)
        if self.manifest.handler_contract != manifests.HANDLER_CONTRACT:
            raise LoadError(
                f"{directory}: handler contract {self.manifest.handler_contract} is not supported "
                f"(allowed: {manifests.HANDLER_CONTRACT}); rebuild the archive"
            )
        self.directory = directory
        self.backend = backends.load(self.manifest, directory, threads or int(os.environ.get("MARLINE_THREADS", "1")))
        self.setup()
        golden.check(self.manifest, self._golden_answer)
        items = int(os.environ.get("MARLINE_CACHE_ITEMS", "0"))
        self.cache = Cache(items, CACHE_BYTES) if items else None

    def setup(self) -> None:
        """Called once after the backend is loaded."""

    def prepare(self, items: Sequence[Any]) -> list[Any]:
        """Each item as model input, or a :class:`RequestError` in its place."""
        raise NotImplementedError

    def compute(self, prepared: Sequence[Any]) -> list[Outputs | RequestError]:
        """Outputs per prepared item, computed in whatever groups are cheapest."""
        raise NotImplementedError

    def present(self, prepared: Any, outputs: Outputs) -> dict[str, Any]:
        """One item's answer as JSON-ready values."""
        raise NotImplementedError

    def handle(self, data: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:
        """Answer a batch: one JSON body per request, its status and content type set on ``context``."""
        started = time.perf_counter()
        asked: list[Question | RequestError] = [
            expired(_header(context, index)) or self._read(row) for index, row in enumerate(data)
        ]
        kept = self.cache
        found = self._documents(asked, started) if kept is None else self._remembered(asked, kept, context, started)
        bodies = []
        for index, document in enumerate(found):
            if isinstance(document, RequestError):
                bodies.append(_refuse(context, index, document))
            else:
                bodies.append(document)
                context.set_response_content_type(index, "application/json")
        return bodies

    def _documents(self, asked: Sequence[Question | RequestError], started: float) -> list[bytes | RequestError]:
        """Compute: an answer's body, or what is wrong, per question."""
        answers = iter(self._answer([item for q in asked if isinstance(q, Question) for item in q.items]))
        out: list[bytes | RequestError] = []
        for question in asked:
            if isinstance(question, RequestError):
                out.append(question)
                continue
            found = [next(answers) for _ in question.items]
            document = _settle(question, found, round((time.perf_counter() - started) * 1000, 3))
            out.append(document if isinstance(document, RequestError) else _json(document))
        return out

    def _remembered(
        self, asked: Sequence[Question | RequestError], cache: Cache, context: Any, started: float
    ) -> list[bytes | RequestError]:
        """As :meth:`_documents`, with what is kept not computed again, nor what stands in the batch twice."""
        keys = [None if isinstance(q, RequestError) else cache.key(q.items, q.form) for q in asked]
        known: dict[bytes, bytes | RequestError] = {}
        first: dict[bytes, int] = {}
        for index, key in enumerate(keys):
            if key is not None and key not in known and key not in first:
                body = cache.get(key)
                if body is None:
                    first[key] = index
                else:
                    known[key] = body
        todo = [i for i, key in enumerate(keys) if key is None or first.get(key) == i]
        computed = dict(zip(todo, self._documents([asked[i] for i in todo], started), strict=True))
        for key, index in first.items():
            known[key] = document = computed[index]
            if isinstance(document, bytes):
                cache.put(key, document)
        _count(context, len(asked) - len(todo), len(first))
        return [computed[i] if key is None else known[key] for i, key in enumerate(keys)]

    def _read(self, row: Mapping[str, Any]) -> Question | RequestError:
        try:
            return questions(body_of(row), self.item_key)
        except RequestError as error:
            return error

    def _answer(self, items: Sequence[Any]) -> list[dict[str, Any] | RequestError]:
        prepared = self.prepare(items)
        good = [i for i, p in enumerate(prepared) if not isinstance(p, RequestError)]
        out: list[Any] = list(prepared)
        for i, outputs in zip(good, self.compute([prepared[i] for i in good]) if good else [], strict=True):
            if isinstance(outputs, RequestError):
                out[i] = outputs
            elif not all(np.isfinite(v).all() for v in outputs.values()):
                out[i] = RequestError(500, "The model's output for this item is not finite.")
            else:
                out[i] = {**self.present(prepared[i], outputs), **self._identity()}
        return out

    def _identity(self) -> dict[str, str]:
        m = self.manifest
        return {"model": m.model, "model_version": m.version, "variant": m.variant}

    def run_each(self, rows: Sequence[Any], inputs_of: Any) -> list[Outputs | RequestError]:
        """Run ``rows`` together; should that fail, each alone, so that only the offender fails.

        Args:
            rows: prepared items that go into one backend call.
            inputs_of: maps a list of rows to the backend's inputs.
        """
        try:
            outputs = self.backend.run(inputs_of(rows))
        except Exception as error:  # noqa: BLE001  engines raise what they like; the batch must outlive it
            if len(rows) > 1:
                return [self.run_each([row], inputs_of)[0] for row in rows]
            return [_model_failure(error)]
        return [{name: value[i] for name, value in outputs.items()} for i in range(len(rows))]

    def run_one(self, inputs: Outputs) -> Outputs | RequestError:
        """Run inputs that have no batch dimension to split along."""
        try:
            return self.backend.run(inputs)
        except Exception as error:  # noqa: BLE001  as in run_each
            return _model_failure(error)

    def _golden_answer(self, request: Any) -> golden.Answer:
        try:
            prepared = self.prepare(questions(request, self.item_key).items)[0]
        except RequestError as error:
            prepared = error
        outputs = prepared if isinstance(prepared, RequestError) else self.compute([prepared])[0]
        if isinstance(outputs, RequestError):
            raise LoadError(f"golden request refused: {outputs.message}; rebuild the archive")
        return self.present(prepared, outputs).get("label"), outputs


def _header(context: Any, index: int) -> Any:
    """The deadline's header: TorchServe keeps names as they were sent, in small letters or with capitals."""
    found = context.get_request_header(index, HEADER)
    return context.get_request_header(index, HEADER.title()) if found is None else found


def _count(context: Any, hits: int, misses: int) -> None:
    """Tell a server that counts; not every engine's context does."""
    metrics = getattr(context, "metrics", None)
    for name, value in zip(CACHE_METRICS, (hits, misses), strict=True):
        if metrics is not None and value:
            metrics.add_counter(name, value)


def _settle(question: Question, found: Sequence[dict[str, Any] | RequestError], elapsed_ms: float) -> Any:
    """The document that answers a question, or the error of its first bad item."""
    answers = []
    for number, answer in enumerate(found):
        if isinstance(answer, RequestError):
            prefix = "" if question.form == "single" else f"Item {number}: "
            return RequestError(answer.status, prefix + answer.message)
        answers.append({**answer, "latency_ms": elapsed_ms})
    return question.answer(answers)


def _model_failure(error: Exception) -> RequestError:
    logging.exception("the model failed on one item")
    return RequestError(500, f"The model failed on this item: {type(error).__name__}.")


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _refuse(context: Any, index: int, error: RequestError) -> bytes:
    phrase, kind = ("Bad Request", "request") if error.status < 500 else ("Model Error", "model")
    if error.status == EXPIRED:
        phrase, kind = "Request Timeout", "deadline"
    context.set_response_status(error.status, phrase, idx=index)
    context.set_response_content_type(index, "application/json")
    context.set_response_header(index, "x-marline-error", kind)
    return _json({"code": error.status, "error": error.message})
