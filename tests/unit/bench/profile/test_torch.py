"""torch.profiler's operators are the model's, and its trace shows the phases."""

from __future__ import annotations

from pathlib import Path

from marline.bench.profile import torch
from marline.bench.profile.phases import MODEL, PHASES, REQUESTS, ask
from marline.serve import Served
from marline.serve.fastapi.archives import load_handler, unpack

from .conftest import BODIES


def test_operators_and_phases_of_one_pass(torch_archive: Served, tmp_path: Path) -> None:
    unpack(torch_archive, tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    found, spans, events = torch.profile(
        lambda: load_handler(tmp_path / "unpacked"), lambda h: ask(h, BODIES, 1) and None, tmp_path / "scratch"
    )
    calls = {o.name: o.calls for o in found}
    assert calls["aten::div"] == len(BODIES) == spans.count(MODEL)
    assert not {*PHASES, REQUESTS} & set(calls)
    assert 0 < sum(o.ms for o in found) <= spans.seconds(REQUESTS) * 1000
    names = [e.get("name") for e in events if e.get("ph") == "X"]
    assert {*PHASES, REQUESTS, "aten::div"} <= set(names)
    # one mark per phase and call, which some versions of torch write twice, for CPU and GPU lines
    assert names.count(MODEL) >= len(BODIES)
