from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from handlerkit import backends, machine
from handlerkit import manifest as manifests
from handlerkit.backends.base import Backend
from handlerkit.errors import LoadError
from marline.build.sources import ModelSource, TextSource
from marline.build.variants import Context, aoti, aoti_fp32
from marline.errors import BuildError
from marline.spec.model import ModelSpec
from unit.build import tiny
from unit.build.variants.test_compile_fp32 import asked

FLAGS = ("avx2", "fma", "f16c")
# registers of 512 bits, masks, and instructions of CPUs with AVX2 that the manifest does not name
FOREIGN = re.compile(r"%zmm|%k[1-7]\b|\b(?:andn|bextr|bzhi|lzcnt|movbe|mulx|pdep|pext|rorx|sarx|shlx|shrx)[lq]?\b|\bvpdp|\btile")

pytestmark = pytest.mark.skipif(
    not set(FLAGS) <= machine.cpu_flags(), reason="aoti-fp32 is built on CPUs with AVX2, which this one lacks"
)


@pytest.fixture(scope="module")
def folder(spec: ModelSpec, source: ModelSource, text: TextSource, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once: it takes a compiler's time."""
    context = Context(spec, "aoti-fp32", source, text, None, tmp_path_factory.mktemp("aoti") / "out", shared)
    tiny.make(context)
    return context.out


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Backend:
    return backends.load(manifests.read(folder), folder)


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine code inside of the package."""
    with zipfile.ZipFile(folder / "model.pt2") as package:
        (name,) = (n for n in package.namelist() if n.endswith(".so"))
        return Path(package.extract(name, tmp_path_factory.mktemp("library")))


def test_one_program_answers_every_shape(loaded: Backend, text: TextSource, spec: ModelSpec):
    model, most = text.model(), spec.inference_parameters
    for batch in range(1, most.max_group + 1):
        for tokens in range(1, most.max_length + 1):
            inputs = asked(batch, tokens)
            with torch.no_grad():
                right = model(*(torch.from_numpy(inputs[n]) for n in ("input_ids", "attention_mask")))
            found = loaded.run(inputs)["logits"]
            np.testing.assert_allclose(found, right.numpy(), atol=1e-3, err_msg=f"{batch} texts of {tokens} tokens")


def test_it_needs_no_transformers_and_the_manifest_names_flags_and_compiler(folder: Path):
    manifest = manifests.read(folder)
    assert (manifest.format, manifest.requirements.cpu_flags) == ("pt2", FLAGS)
    assert sorted(manifest.requirements.packages) == ["numpy", "tokenizers", "torch"]
    assert re.fullmatch(r"g\+\+ \d+(\.\d+)*", manifest.build["facts"]["compiler"])


@pytest.mark.parametrize("missing", FLAGS)
def test_a_cpu_that_lacks_an_instruction_set_refuses_it_in_one_sentence(
    folder: Path, missing: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(machine, "cpu_flags", lambda: frozenset(FLAGS) - {missing} | {"avx"})
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    kind = "avx2" if missing != "avx2" else "x86_64"
    with pytest.raises(LoadError) as caught:
        backends.load(manifests.read(folder), folder)
    assert str(caught.value) == (
        f"toy 1.0.0-aoti-fp32 requires the CPU flag {missing}, this CPU ({kind}) lacks it; choose another variant"
    )


def test_it_has_no_instruction_that_the_manifest_does_not_name(library: Path):
    if shutil.which("objdump") is None:
        pytest.skip("no objdump on the PATH: install binutils")
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(library)], capture_output=True, text=True, check=True)
    found = [line for line in code.stdout.splitlines() if FOREIGN.search(line.split("#")[0].split("<")[0])]
    assert found == []
    # and it does have those: scalar code would pass too
    assert "%ymm" in code.stdout
    assert "vfmadd" in code.stdout


def test_the_library_knows_no_folder_of_the_machine(library: Path, folder: Path):
    content = library.read_bytes()
    for path in (Path(torch.__file__).parents[1], folder.parent, Path("/tmp"), Path(__file__).parents[4]):
        assert str(path).encode() + b"/" not in content
    # nor the name that chance gave the compiler's folder: the same library would have other bytes in every build
    assert b"build/" in content
    assert b"build/tmp" not in content


def test_a_damaged_package_is_one_sentence(folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.pt2").write_bytes(b"not a package")
    with pytest.raises(LoadError, match=r"model\.pt2 cannot be loaded by torch .*; rebuild the archive$") as caught:
        backends.load(manifests.read(folder), tmp_path / "damaged")
    assert "\n" not in str(caught.value)


def test_without_a_compiler_the_build_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BuildError) as caught:
        aoti.compiler("toy aoti-fp32")
    assert str(caught.value) == (
        "toy aoti-fp32: is compiled from C++ and there is no g++ on the PATH; install g++, or remove the variant"
    )


def test_a_cpu_without_the_instructions_does_not_build_it(
    spec: ModelSpec, source: ModelSource, text: TextSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(aoti_fp32, "cpu_flags", lambda: frozenset({"avx", "fma", "f16c"}))
    with pytest.raises(BuildError) as caught:
        aoti_fp32.build(Context(spec, "aoti-fp32", source, text, None, tmp_path, tmp_path))
    assert str(caught.value) == (
        "toy aoti-fp32: is compiled for CPUs with avx2, which this one lacks; build it on one that has it, or remove the variant"
    )
    assert list(tmp_path.iterdir()) == []
