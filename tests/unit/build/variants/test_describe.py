from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handlerkit.manifest import Dim, File
from marline.build.sources.cache import sha256_of
from marline.build.variants import Built, Context
from marline.build.variants.describe import code_digest, draft_manifest


def _drafted(context: Context, packages: tuple[str, ...]):
    context.out.mkdir()
    for name in ("b.bin", "a.bin", "tokenizer.json"):
        (context.out / name).write_text(name)
    return draft_manifest(context, Built(("b.bin", "a.bin"), packages, {"nodes": 3}))


def test_what_can_be_derived_is_derived(context: Callable[[str], Context]):
    made = context("onnx-int8-vnni")
    found = _drafted(made, ("onnxruntime",))
    assert (found.served_version, found.task, found.format) == ("1.0.0-onnx-int8-vnni", "text-classification", "onnx")
    assert [f.path for f in found.files] == ["a.bin", "b.bin", "tokenizer.json"]
    assert found.files[0] == File("a.bin", 5, sha256_of(made.out / "a.bin"))
    batch, tokens = Dim("batch", 1, 256), Dim("tokens", 1, 32)
    assert [(t.name, t.shape) for t in found.inputs] == [("input_ids", (batch, tokens)), ("attention_mask", (batch, tokens))]
    assert [(t.name, t.dtype, t.shape) for t in found.outputs] == [("logits", "float32", (batch, 2))]
    assert found.requirements.cpu_flags == ("avx512_vnni",)
    assert sorted(found.requirements.packages) == ["numpy", "onnxruntime", "tokenizers"]
    assert found.build == {"facts": {"nodes": 3}, "inputs": {"trained": made.spec.trained.sha256}}
    # what depends on the batch is served alone
    assert found.inference_parameters["max_group"] == 1


def test_the_wheel_s_flavour_is_not_in_the_artifact(context: Callable[[str], Context], monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.15.0+cpu")
    found = _drafted(context("eager-fp32"), ("torch",))
    assert found.requirements.packages["torch"] == "2.15.0"
    assert found.requirements.cpu_flags == ()
    assert found.inference_parameters["max_group"] == 8


def test_the_code_s_digest_is_of_names_and_contents_of_python_files(tmp_path: Path):
    for folder, content in (("one", "x = 1\n"), ("two", "x = 1\n")):
        (tmp_path / folder / "sub").mkdir(parents=True)
        (tmp_path / folder / "sub" / "a.py").write_text(content)
    same = code_digest(tmp_path / "one")
    assert code_digest(tmp_path / "two") == same
    (tmp_path / "two" / "notes.txt").write_text("ignored")
    assert code_digest(tmp_path / "two") == same
    (tmp_path / "two" / "sub" / "a.py").rename(tmp_path / "two" / "sub" / "b.py")
    assert code_digest(tmp_path / "two") != same
    (tmp_path / "one" / "sub" / "a.py").write_text("x = 2\n")
    assert code_digest(tmp_path / "one") != same
