"""ONNX Runtime's profile holds the last pass alone, and its session is the backend's own."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from marline.bench.profile import onnx
from marline.bench.profile.phases import MODEL, REQUESTS, Spans, ask
from marline.errors import BenchError
from marline.serve import Served
from marline.serve.fastapi.archives import load_handler, unpack

from .conftest import BODIES

KINDS = {"Gather", "Cast", "Unsqueeze", "Mul", "ReduceSum", "Div"}


def test_every_operator_of_one_pass_is_counted(onnx_archive: Served, tmp_path: Path) -> None:
    unpack(onnx_archive, tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    found, spans, events = onnx.profile(
        lambda: load_handler(tmp_path / "unpacked"), lambda h: ask(h, BODIES, 1) and None, tmp_path / "scratch"
    )
    calls = {o.name: o.calls for o in found}
    assert set(calls) == KINDS
    # one run per text, not those of golden requests and warm-up; the graph has two sums
    assert spans.count(MODEL) == len(BODIES)
    assert calls["Div"] == len(BODIES)
    assert calls["ReduceSum"] == 2 * len(BODIES)
    assert 0 < sum(o.ms for o in found) <= spans.seconds(MODEL) * 1000
    assert sum(e["name"] == onnx.RUN for e in events) == len(BODIES)


def test_phases_and_operators_share_one_line_of_time(onnx_archive: Served, tmp_path: Path) -> None:
    unpack(onnx_archive, tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    _, _, events = onnx.profile(
        lambda: load_handler(tmp_path / "unpacked"), lambda h: ask(h, BODIES, 2) and None, tmp_path / "scratch"
    )
    models = sorted((e["ts"], e["ts"] + e["dur"]) for e in events if e.get("cat") == "phase" and e["name"] == MODEL)
    runs = sorted((e["ts"], e["ts"] + e["dur"]) for e in events if e["name"] == onnx.RUN)
    assert len(models) == len(runs) > 0
    for (start, end), (began, ended) in zip(models, runs, strict=True):
        # the clocks meet at the first run's start; a millisecond is more than a call needs
        assert start - 1000 <= began <= ended <= end + 1000
    assert sum(e["name"] == REQUESTS for e in events) == 3


def test_options_are_the_backends_with_the_profiler_on_and_only_inside(tmp_path: Path) -> None:
    plain = onnxruntime.SessionOptions
    with onnx.profiling(tmp_path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 3
        assert (options.enable_profiling, options.intra_op_num_threads) == (True, 3)
        assert Path(options.profile_file_prefix).parent == tmp_path
    assert onnxruntime.SessionOptions is plain
    assert not onnxruntime.SessionOptions().enable_profiling


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([], "^onnxruntime profiled 0 runs, of which 1 are looked for; profile fewer texts$"),
        ([{"name": onnx.RUN, "ts": 1, "pid": 1}], "^onnxruntime profiled no operator; its profile has another form"),
    ],
)
def test_a_profile_of_another_form_is_refused(events, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        onnx._read(events, Spans([(MODEL, 0.0, 1.0)]))
