"""What a block may need: a copy of the checkout, a built store, a server on its archives."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docs.blocks import ROOT, blocks
from marline.artifact.store import Store
from marline.serve import TorchServer, serve
from marline.spec import load_model_spec

MODEL = "sentiment"
VARIANTS = ("onnx-int8-static", "onnx-fp32")
COPIED = ("config", "docs", "README.md", "Makefile", "build.py", "pyproject.toml", "requirements", "tools")
LINKED = ("src", "handlers")


@pytest.fixture(scope="session")
def built_store() -> Path:
    """A store with the sentiment model: ``MARLINE_TEST_STORE``, else the checkout's own."""
    root = Path(os.environ.get("MARLINE_TEST_STORE") or ROOT / "model_store").resolve()
    store = Store(root)
    if MODEL not in store.models():
        pytest.skip(f"{root} holds no {MODEL}: run `make build`, or set MARLINE_TEST_STORE to a built store")
    version = store.versions(MODEL)[-1]
    if missing := [name for name in VARIANTS if name not in store.variants(MODEL, version)]:
        pytest.skip(f"{root}: {MODEL} {version} has no {missing[0]}: build it with `make build`")
    return root


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment's programs first; curl fails on an error status and shows what was answered."""
    home = tmp_path_factory.mktemp("curl")
    (home / ".curlrc").write_text("silent\nshow-error\nfail-with-body\nmax-time = 60\nnoproxy = *\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MARLINE_") or k == "MARLINE_CACHE"}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**kept, "PATH": path, "CURL_HOME": str(home), "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """A copy of the checkout for each document, in which its blocks run one after the other."""
    copies: dict[Path, Path] = {}

    def of(document: Path) -> Path:
        if document not in copies:
            target = copies[document] = tmp_path_factory.mktemp(document.stem)
            for name in COPIED:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
                elif (ROOT / name).exists():
                    shutil.copyfile(ROOT / name, target / name)
            for name in LINKED:
                (target / name).symlink_to(ROOT / name)
        return copies[document]

    return of


@pytest.fixture
def supply(request: pytest.FixtureRequest, scratch: Callable[[Path], Path]) -> Callable[[str, Path, Callable[..., object]], None]:
    """Puts what ``needs=NAME`` names into a document's scratch copy, once."""

    def put(name: str, document: Path, run: Callable[..., object]) -> None:
        target = scratch(document)
        if name == "store" and not (target / "model_store").exists():
            # files of a store are replaced, never written to: links are as good as copies
            store = request.getfixturevalue("built_store")
            shutil.copytree(store, target / "model_store", copy_function=_link, ignore=shutil.ignore_patterns(".*"))
        if name == "scorer" and not (target / "config" / "models" / "scorer.yaml").exists():
            for block in scorer_blocks():
                run(block, target)

    return put


def scorer_blocks() -> list[object]:
    """The README's blocks that export a model and write its spec."""
    found = [b for b in blocks(ROOT / "README.md") if "scorer" in b.text and b.language in ("python", "bash") and not b.tags]
    assert [b.language for b in found] == ["python", "bash"]
    return list(found)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


@pytest.fixture(scope="session")
def server(built_store: Path) -> Iterator[TorchServer]:
    """A server on two archives of the store, the int8 one by default."""
    store = Store(built_store)
    version = store.versions(MODEL)[-1]
    archives = [store.archive(MODEL, version, name) for name in VARIANTS]
    spec = load_model_spec(ROOT / "config" / "models" / f"{MODEL}.yaml", untrained=True)
    with serve(archives, spec.serving, port=0) as running:
        running.wait_ready()
        yield running
