"""The real torch, also where a stand-in was imported before.

``marline serve`` puts a stand-in named ``torch`` on the workers' path, because TorchServe's protocol
module imports torch for one isinstance check: an ONNX worker then needs none.  A worker that does
need torch asks the stand-in to leave first.
"""

from __future__ import annotations

import sys
from types import ModuleType

from handlerkit.errors import LoadError


def real_torch(threads: int) -> ModuleType:
    """Import torch, with ``threads`` compute threads and gradients off for good.

    Raises:
        LoadError: when torch is not installed.
    """
    present = sys.modules.get("torch")
    leave = getattr(present, "leave_for_the_real_one", None)
    if leave is not None:
        leave()
    try:
        import torch
    except ImportError as error:
        raise LoadError(
            "this archive needs torch, which is not installed; `pip install 'marline[build]'`, "
            "or serve an ONNX variant, which needs none"
        ) from error
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    module: ModuleType = torch
    return module
