"""The model, the same for every peer: the project's own handler, without any server around it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handlerkit.errors import RequestError
from handlerkit.text import Encoded
from text_classification import TextClassification


class Classifier:
    """One session with one thread; not thread-safe."""

    def __init__(self, archive: Path) -> None:
        self._handler = TextClassification()
        # answers the archive's golden requests first, and raises where one of them comes out wrong
        self._handler.load(archive, threads=int(os.environ.get("MARLINE_THREADS", "1")))

    def classify(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """One answer per text, in order: label, confidence, scores, tokens, truncated.

        Raises:
            RequestError: for the first text that is empty, too long or no text at all.
        """
        prepared: list[Encoded] = []
        for item in self._handler.prepare(texts):
            if isinstance(item, RequestError):
                raise item
            prepared.append(item)
        answers = []
        for item, outputs in zip(prepared, self._handler.compute(prepared), strict=True):
            if isinstance(outputs, RequestError):
                raise outputs
            answers.append(self._handler.present(item, outputs))
        return answers
