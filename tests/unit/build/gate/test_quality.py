from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from marline.build.gate.exam import Exam, padded
from marline.build.gate.quality import answer, examine, peak_rss
from marline.build.sources import TextSource
from marline.build.variants import Context
from marline.errors import BuildError
from unit.build import tiny


@pytest.fixture
def questions(text: TextSource, tmp_path: Path) -> tuple[Exam, Path]:
    asked = tiny.questions(text, 10)
    exam = Exam(gate=asked, test=asked[:3], rounds=[[[9, 1, 3, 5, 7, 0, 2, 4], [6, 8]], [[0, 1], [2, 3, 4, 5, 6, 7, 8, 9]]])
    path = tmp_path / "exam.pkl"
    path.write_bytes(pickle.dumps(exam))
    return exam, path


@pytest.fixture
def artifact(context: Callable[[str], Context]) -> Path:
    made = context("onnx-fp32")
    tiny.make(made)
    return made.out


def test_a_process_of_its_own_gives_the_answers_of_this_one(artifact: Path, questions: tuple[Exam, Path], tmp_path: Path):
    exam, path = questions
    found, here = examine(artifact, path, tmp_path / "out.npz"), answer(artifact, exam)
    np.testing.assert_array_equal(found.gate, here.gate)
    np.testing.assert_array_equal(found.batched, here.batched)
    assert found.gate.shape == (10, 2)
    np.testing.assert_array_equal(found.test, found.gate[:3])
    # in each round, each item's answer is put back in its own place
    assert found.batched.shape == (2, 10, 2)
    np.testing.assert_allclose(found.batched, np.stack([found.gate] * 2), atol=1e-4)
    assert found.load_seconds > 0
    # a fresh process without torch is smaller than this one with it
    assert 10e6 < found.rss_bytes < here.rss_bytes


def test_a_broken_artifact_is_one_sentence(artifact: Path, questions: tuple[Exam, Path], tmp_path: Path):
    (artifact / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BuildError) as caught:
        examine(artifact, questions[1], tmp_path / "out.npz")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("onnx-fp32: cannot answer the gate's questions: ")
    assert "model.onnx cannot be loaded by onnxruntime" in str(caught.value)


def test_answers_that_are_not_finite_are_one_sentence(artifact: Path, questions: tuple[Exam, Path], tmp_path: Path):
    graph = onnx.load(str(artifact / "model.onnx"))
    bias = next(i for i in graph.graph.initializer if list(i.dims) == [2])
    bias.CopyFrom(numpy_helper.from_array(np.array([np.nan, 0], np.float32), bias.name))
    onnx.save(graph, str(artifact / "model.onnx"))
    with pytest.raises(BuildError, match=r"^onnx-fp32: 10 of 10 answers of the gate run are not finite; remove the variant"):
        examine(artifact, questions[1], tmp_path / "out.npz")


def test_padded_makes_one_rectangle():
    rows = [{"input_ids": np.full((1, n), 7), "attention_mask": np.ones((1, n), np.int64)} for n in (2, 4)]
    found = padded(rows)
    assert found["input_ids"].tolist() == [[7, 7, 0, 0], [7, 7, 7, 7]]
    assert found["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


def test_peak_memory_is_that_of_the_process_and_keeps_its_peak():
    code = (
        "from marline.build.gate.quality import peak_rss\n"
        "before = peak_rss(); block = b'x' * 200_000_000; during = peak_rss(); del block\n"
        "print(before, during, peak_rss())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, during, after = map(int, run.stdout.split())
    assert during - before > 150e6
    assert after > 0.99 * during  # the kernel counts in steps
    # not the parent's peak, which a child of getrusage would show
    assert before < peak_rss() or peak_rss() < 150e6
