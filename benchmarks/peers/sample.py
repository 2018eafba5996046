"""What peers are asked: real texts, the archive that answers them, and the answers it gives alone."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MAR = "sentiment/1.0.0/onnx-int8-static/sentiment-1.0.0-onnx-int8-static.mar"


def texts(count: int) -> list[str]:
    """The first snippets of the test split, as long and as short as people write them."""
    from marline.build import data
    from marline.spec.load import load_model_spec

    spec = load_model_spec(ROOT / "config/models/sentiment.yaml")
    if spec.data is None:
        raise ValueError("config/models/sentiment.yaml: `data` is missing; the peers are asked its texts")
    return [item.text for item in data.load_split(spec.data, "test")][:count]


def alone(archive: Path, asked: Sequence[str]) -> list[dict[str, Any]]:
    """Each text's answer from the model in this process, asked one at a time."""
    sys.path.insert(0, str(ROOT / "handlers"))
    from shared.classifier import Classifier

    classifier = Classifier(archive)
    return [classifier.classify([text])[0] for text in asked]


def mar() -> Path:
    """The archive in the store of the build or of the tests."""
    return Path(os.environ.get("MARLINE_TEST_STORE") or ROOT / "model_store") / MAR


@contextmanager
def unpacked(archive: Path | None) -> Iterator[Path]:
    """The files of an archive (:func:`mar` if None) in a folder that goes away again.

    Raises:
        FileNotFoundError: when there is no such archive.
    """
    archive = archive or mar()
    if not archive.is_file():
        raise FileNotFoundError(f"{archive} does not exist; run `make build`, or name an archive with --mar")
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)
        yield Path(folder)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
