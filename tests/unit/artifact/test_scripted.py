"""A brought TorchScript file with control flow: scripted, because a trace would freeze one branch."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from handlerkit import backends
from handlerkit import manifest as manifests
from marline.artifact.pipeline import build_model
from marline.artifact.store import Store
from marline.build.sources.cache import sha256_of
from marline.spec import load_compat, load_model_spec

ROOT = Path(__file__).resolve().parents[3]


class Clipped(torch.nn.Module):
    """Halves its input until the sum is small: how often depends on the values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.abs().sum() > 1.0):
            x = x / 2
        return x


def test_both_branches_work_after_building_packing_and_loading(tmp_path: Path) -> None:
    torch.jit.script(Clipped()).save(str(tmp_path / "clipped.pt"))
    tensor = {"dtype": "float32", "shape": [1, 4]}
    document = {
        "name": "clipped", "version": "1.0.0", "task": "tensor", "licence": "MIT",
        "source": {"kind": "file", "path": "clipped.pt", "sha256": sha256_of(tmp_path / "clipped.pt")},
        "inputs": [{"name": "x", **tensor}], "outputs": [{"name": "y", **tensor}],
        "variants": {"torchscript-fp32": {"required": True}},
    }  # fmt: skip
    path = tmp_path / "clipped.yaml"
    path.write_text(json.dumps(document))  # JSON is YAML
    store = Store(tmp_path / "store")
    result = build_model(load_model_spec(path), tmp_path, store, load_compat(ROOT / "config" / "compat.yaml"), print)
    assert result.report["variants"]["torchscript-fp32"]["status"] == "pass"
    with store.unpacked("clipped", "1.0.0", "torchscript-fp32") as directory:
        backend = backends.load(manifests.read(directory), directory)
        for value, expected in ((0.1, 0.1), (1.0, 0.25), (4.0, 0.25)):
            found = backend.run({"x": torch.full((1, 4), value).numpy()})["y"]
            assert found.tolist() == torch.full((1, 4), expected).tolist()
