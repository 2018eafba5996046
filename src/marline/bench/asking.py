"""What is asked: real texts in their own mix of lengths, and the labels that are the right answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np

from handlerkit import serving
from handlerkit.errors import RequestError
from marline.bench.questions import Question
from marline.build.data import load_split
from marline.errors import BenchError
from marline.spec.model import ModelSpec

MOST = 1024
HANDLER = "text_classification"


def questions_of(spec: ModelSpec, archive: Path, most: int = MOST) -> list[Question]:
    """The gate's texts in a fixed shuffled order, each answered once, alone.

    Args:
        spec: a text classification model with labelled data.
        archive: directory of the unpacked archive.
        most: how many.

    Raises:
        BenchError: when the model has no labels or no data to ask.
    """
    if spec.task != "text-classification" or spec.data is None:
        raise BenchError(f"{spec.name}: only text-classification models with `data:` can be benchmarked")
    items = load_split(spec.data, "gate")
    order = np.random.default_rng(0).permutation(len(items))[:most]
    texts = [items[i].text for i in order]
    handler = load_handler(archive)
    out = []
    for text in texts:
        prepared = handler.prepare([text])[0]
        answer = prepared if isinstance(prepared, RequestError) else handler.compute([prepared])[0]
        if isinstance(answer, RequestError):
            raise BenchError(f"{spec.name}: the model refuses the text {text[:60]!r}: {answer.message}")
        shown = handler.present(prepared, answer)
        out.append(Question(text, str(shown["label"]), int(shown["tokens"])))
    return out


def load_handler(archive: Path) -> serving.Handler:
    """The archive's own handler, loaded from its directory with one thread.

    Raises:
        LoadError: when it cannot be loaded on this machine.
    """
    handler: serving.Handler = _module(archive).TextClassification()
    handler.load(archive, threads=1)
    return handler


def _module(archive: Path) -> ModuleType:
    path = archive / f"{HANDLER}.py"
    found = importlib.util.spec_from_file_location(HANDLER, path)
    if found is None or found.loader is None or not path.is_file():
        raise BenchError(f"{archive}: holds no {path.name}; only text-classification archives can be benchmarked")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
