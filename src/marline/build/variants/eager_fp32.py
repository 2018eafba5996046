"""eager-fp32: the reference.  Configuration and weights as they are, in safetensors: no pickle."""

from __future__ import annotations

import json

from safetensors.numpy import save_file

from marline.build.variants.base import Built, Context


def build(context: Context) -> Built:
    """Write ``config.json`` and ``model.safetensors``."""
    assert context.text is not None
    (context.out / "config.json").write_text(json.dumps(context.text.config, indent=2, sort_keys=True) + "\n")
    save_file(dict(sorted(context.text.weights.items())), context.out / "model.safetensors")
    return Built(("config.json", "model.safetensors"), ("torch", "transformers", "safetensors"))
