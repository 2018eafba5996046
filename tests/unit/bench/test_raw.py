"""The bare loops as processes, on a small real archive."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from marline.bench import questions
from marline.bench.asking import load_handler
from marline.bench.questions import Question
from marline.bench.raw import Batching, Raw
from marline.errors import BenchError
from server import tiny_archives as tiny


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an unpacked archive."""
    root = tmp_path_factory.mktemp("raw")
    with zipfile.ZipFile(tiny.classifier(root / "tiny.mar")) as packed:
        packed.extractall(root / "unpacked")
    return root / "unpacked"


@pytest.fixture(scope="module")
def asked(archive: Path) -> Path:
    path = archive.parent / "asked.json"
    questions.write(path, [Question("good a", "positive", 2), Question("bad", "negative", 1), Question("good", "negative", 1)])
    return path


def test_loops_answer_rightly_and_are_gone_afterwards(archive: Path, asked: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    with Raw(archive, asked, [cpu, cpu]) as raw:
        assert len(raw) == 2
        processes = list(raw._processes)
        found = raw.run(Batching(3, False), 0.1)
        # of the three questions one is given a wrong label
        assert found.right == 2 * found.wrong > 0
        assert found.padding == pytest.approx(1 - 4 / 6)
        assert found.rate > 0
        assert found.cpu_seconds > 0
        times = raw.times(0.1)
        assert set(times) == {"good a", "bad", "good"}
        assert min(times.values()) > 0
    assert all(process.returncode is not None for process in processes)


def test_a_loop_that_dies_is_a_sentence(archive: Path, asked: Path) -> None:
    with Raw(archive, asked, [min(os.sched_getaffinity(0))]) as raw:
        raw._processes[0].kill()
        with pytest.raises(BenchError, match=r"^a bare loop died with exit code -9; see its message above$"):
            raw.run(Batching(1, False), 0.1)


def test_a_loop_that_cannot_start_is_a_sentence(archive: Path, asked: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchError, match=r"^a bare loop died with exit code 1; see its message above$"), Raw(archive.parent, asked, [0]):
        pass
    assert "manifest.json" in capfd.readouterr().err


def test_the_archives_own_handler_is_asked(archive: Path) -> None:
    handler = load_handler(archive)
    prepared = handler.prepare(["good a"])[0]
    assert handler.present(prepared, handler.compute([prepared])[0])["label"] == "positive"


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no text_classification.py; only text-classification archives can be"):
        load_handler(tmp_path)
