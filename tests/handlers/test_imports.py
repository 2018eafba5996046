"""What TorchServe's loader asks of a handler file, and what an ONNX worker must not import."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

from handlerkit.serving import Handler

HANDLERS = ["text_classification", "embedding", "tensor"]


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_file_defines_exactly_one_class(name):
    module = importlib.import_module(name)
    own = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == name]
    assert len(own) == 1
    assert issubclass(own[0], Handler)


def test_importing_the_handlers_imports_no_engine_no_server_and_no_marline():
    code = (
        f"import sys, {', '.join(HANDLERS)}; "
        "print([m for m in ('torch', 'onnxruntime', 'transformers', 'tokenizers', 'ts', 'marline') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
