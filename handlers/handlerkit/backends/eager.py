"""Eager PyTorch from a state dict in safetensors: the fp32 reference, bf16, and no pickle anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handlerkit.backends.realtorch import real_torch
from handlerkit.manifest import Manifest


class EagerBackend:
    """``config.json`` and ``model.safetensors`` as a :class:`~handlerkit.backends.text_model.TextModel`.

    Each weight has the type that the file gives it.
    """

    def __init__(self, manifest: Manifest, directory: Path, threads: int) -> None:
        self._torch = real_torch(threads)
        from handlerkit.backends.bf16 import fit
        from handlerkit.backends.weights import text_model

        self._model = fit(text_model(manifest, directory))
        self._output = manifest.outputs[0].name

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See :class:`~handlerkit.backends.base.Backend`."""
        with self._torch.inference_mode():
            tensors = (self._torch.from_numpy(np.ascontiguousarray(inputs[n])) for n in ("input_ids", "attention_mask"))
            out = self._model(*tensors)
        return {self._output: out.numpy()}
