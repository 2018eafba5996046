"""Eager PyTorch from a state dict in safetensors: the fp32 reference, and no pickle anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handlerkit.backends.realtorch import real_torch
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest


class EagerBackend:
    """``config.json`` and ``model.safetensors`` as a :class:`~handlerkit.backends.text_model.TextModel`."""

    def __init__(self, manifest: Manifest, directory: Path, threads: int) -> None:
        self._torch = real_torch(threads)
        from safetensors.torch import load_file

        from handlerkit.backends.text_model import TextModel

        config = json.loads((directory / manifest.file("config.json")).read_text())
        weights = load_file(directory / manifest.file(".safetensors"))
        model = TextModel(config, manifest.inference_parameters["head"], max(1, len(manifest.labels)))
        try:
            model.load_state_dict(weights, strict=True)
        except RuntimeError as error:
            raise LoadError(
                f"{manifest.file('.safetensors')} does not hold the weights of {config['model_type']}: "
                f"{' '.join(str(error).split())[:300]}; rebuild the archive"
            ) from error
        self._model = model.eval()
        self._output = manifest.outputs[0].name

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See :class:`~handlerkit.backends.base.Backend`."""
        with self._torch.inference_mode():
            tensors = (self._torch.from_numpy(np.ascontiguousarray(inputs[n])) for n in ("input_ids", "attention_mask"))
            out = self._model(*tensors)
        return {self._output: out.numpy()}
