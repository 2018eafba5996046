"""From an archive's configuration and weights to the torch module that they are.

Imported only where torch and transformers are there.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file

from handlerkit.backends.text_model import TextModel
from handlerkit.errors import LoadError
from handlerkit.manifest import Manifest


def text_model(manifest: Manifest, directory: Path) -> TextModel:
    """``config.json`` and ``model.safetensors`` in eval mode, each weight in the type that the file gives it.

    Raises:
        LoadError: when the file does not hold the weights of the architecture.
    """
    config = json.loads((directory / manifest.file("config.json")).read_text())
    weights = load_file(directory / manifest.file(".safetensors"))
    model = TextModel(config, manifest.inference_parameters["head"], max(1, len(manifest.labels)))
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.data = parameter.data.to(weights[name].dtype)
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise LoadError(
            f"{manifest.file('.safetensors')} does not hold the weights of {config['model_type']}: "
            f"{' '.join(str(error).split())[:300]}; rebuild the archive"
        ) from error
    model.eval()
    return model
