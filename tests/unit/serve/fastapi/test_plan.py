"""What processes are told is what the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from marline.serve import read_archive
from marline.serve.fastapi.plan import Plan
from marline.spec.model import Serving
from server import tiny_archives as tiny


@pytest.mark.parametrize(("queue", "processes", "each"), [(100, 2, 50), (1, 2, 1), (7, 3, 2)])
def test_it_is_read_as_it_was_written(tmp_path: Path, queue: int, processes: int, each: int) -> None:
    served = [read_archive(tiny.doubler(tmp_path / "d.mar")), read_archive(tiny.classifier(tmp_path / "c.mar"))]
    settings = Serving(batch_size=5, max_batch_delay_ms=7, queue_size=queue, response_timeout_s=11)
    plan = Plan.of(tmp_path, served, settings, processes)
    plan.write()
    assert Plan.read(tmp_path) == plan
    assert plan.names == (("doubler", "1.0.0-onnx-fp32"), ("sentiment", "1.0.0-onnx-fp32"))
    assert (plan.batch_size, plan.delay_s, plan.queue_size, plan.patience_s) == (5, 0.007, each, 11.0)
    assert plan.archive(0) != plan.archive(1)
