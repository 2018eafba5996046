from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from handlerkit import backends
from handlerkit import manifest as manifests
from handlerkit.backends.base import Backend
from handlerkit.backends.compiled import CompiledBackend
from handlerkit.errors import LoadError
from marline.build.sources import ModelSource, TextSource
from marline.build.variants import Context
from marline.build.variants.compile_fp32 import build
from marline.build.variants.describe import draft_manifest
from marline.spec.model import ModelSpec

NO_COMPILER = (
    "toy 1.0.0-compile-fp32 is compiled while it is loaded and needs a C++ compiler, but there is no g++ on the PATH; "
    "install g++, or serve another variant, such as aoti-fp32, which is compiled when it is built"
)


@pytest.fixture(scope="module")
def folder(spec: ModelSpec, source: ModelSource, text: TextSource, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact, not loaded."""
    out = tmp_path_factory.mktemp("compile")
    context = Context(spec, "compile-fp32", source, text, None, out, shared)
    manifest = draft_manifest_of(context)
    (out / manifests.FILE_NAME).write_text(manifests.dumps(manifest))
    return out


def draft_manifest_of(context: Context) -> manifests.Manifest:
    assert context.text is not None
    built = build(context)
    (context.out / "tokenizer.json").write_bytes(context.text.tokenizer.read_bytes())
    return draft_manifest(context, built)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only folder for temporary files while the model is loaded."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def compiled(folder: Path, scratch: Path) -> Backend:
    """Loaded once: it takes a compiler's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        return backends.load(manifests.read(folder), folder)


def asked(batch: int, tokens: int) -> dict[str, np.ndarray]:
    """Ids of known words; the last row half padding."""
    ids = np.arange(batch * tokens).reshape(batch, tokens) % 40 + 4
    mask = np.ones_like(ids)
    mask[-1, (tokens + 1) // 2 :] = 0
    return {"input_ids": ids * mask, "attention_mask": mask}


def programs() -> int:
    return int(counters["stats"]["unique_graphs"])


def test_one_program_answers_every_shape_and_nothing_is_compiled_in_service(compiled: Backend, text: TextSource, spec: ModelSpec):
    before, model = programs(), text.model()
    most = spec.inference_parameters
    for batch in range(1, most.max_group + 1):
        for tokens in range(1, most.max_length + 1):
            inputs = asked(batch, tokens)
            found = compiled.run(inputs)["logits"]
            with torch.no_grad():
                right = model(*(torch.from_numpy(inputs[n]) for n in ("input_ids", "attention_mask")))
            np.testing.assert_allclose(found, right.numpy(), atol=1e-3, err_msg=f"{batch} texts of {tokens} tokens")
    assert programs() == before


def test_what_would_need_another_program_is_an_error_and_no_pause(compiled: Backend):
    before = programs()
    inputs = {name: value.astype(np.int32) for name, value in asked(2, 5).items()}
    with pytest.raises(RuntimeError, match="recompile"):
        compiled.run(inputs)
    assert programs() == before
    assert compiled.run(asked(2, 5))["logits"].shape == (2, 2)


def test_the_error_is_this_model_s_alone(compiled: Backend):
    compiled.run(asked(1, 3))
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(3))  # whoever compiles beside it may


def test_a_thread_that_did_not_load_it_runs_the_same_program(compiled: Backend):
    inputs = asked(3, 7)
    here = compiled.run(inputs)["logits"]

    def elsewhere() -> np.ndarray:
        torch.set_num_threads(2)
        torch.set_grad_enabled(True)
        return compiled.run(inputs)["logits"]

    with ThreadPoolExecutor(1) as pool:
        np.testing.assert_array_equal(pool.submit(elsewhere).result(), here)


def test_the_compiler_s_files_are_gone_when_it_is_loaded(compiled: Backend, scratch: Path):
    assert [path for path in scratch.rglob("*") if path.name.startswith("marline-compile-")] == []


def test_without_a_compiler_it_does_not_load_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(LoadError) as caught:
        backends.load(manifests.read(folder), folder)
    assert str(caught.value) == NO_COMPILER


def test_a_compiler_that_fails_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(self: CompiledBackend) -> None:
        raise RuntimeError("fatal error: Python.h: No such file or directory\ncompilation terminated.")

    monkeypatch.setattr(CompiledBackend, "_compile", fails)
    monkeypatch.setenv("CXX", "g++")
    with pytest.raises(LoadError) as caught:
        backends.load(manifests.read(folder), folder)
    assert str(caught.value) == (
        "toy 1.0.0-compile-fp32 cannot be compiled on this machine by g++: fatal error: Python.h: No such file or directory; "
        "install Python's headers and a newer compiler, or serve another variant"
    )
