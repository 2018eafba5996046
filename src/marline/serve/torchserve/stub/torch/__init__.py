"""A stand-in for torch, on the path of TorchServe 0.12.0's workers and of nothing else.

``ts/protocol/otf_message_handler.py`` imports torch to ask whether an answer is a tensor, and to save
it if so.  Handlers of marline answer in bytes: that question is always no, and a worker for an ONNX
model needs neither torch's 5 GB nor its seconds of import.  A worker that does compute with torch calls
:func:`leave_for_the_real_one` first.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any


class Tensor:
    """The type of which nothing is an instance."""


def save(*_args: Any, **_kwargs: Any) -> None:
    """Never reached: there is no tensor to save."""
    raise RuntimeError("this is marline's stand-in for torch, which saves nothing; answer in bytes")


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"torch.{name}: this is marline's stand-in for torch; torch.leave_for_the_real_one() brings the real one"
    )


def leave_for_the_real_one() -> None:
    """Replace this module by the real torch, here and in TorchServe's protocol module.

    Raises:
        ImportError: when torch is not installed; the stand-in is then in place again.
    """
    here = Path(__file__).resolve().parent.parent
    path, before = list(sys.path), set(sys.modules)
    sys.path[:] = [entry for entry in path if Path(entry).resolve() != here]
    stand_in = sys.modules.pop("torch")
    try:
        real = importlib.import_module("torch")
    except BaseException:
        for name in set(sys.modules) - before:
            if name.startswith("torch."):
                del sys.modules[name]
        sys.modules["torch"] = stand_in
        sys.path[:] = path
        raise
    # what this process starts must not meet the stand-in either
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(e for e in inherited if e and Path(e).resolve() != here)
    protocol: Any = sys.modules.get("ts.protocol.otf_message_handler")
    if protocol is not None:
        protocol.torch = real
