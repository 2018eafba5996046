"""TorchServe handler: text to a sentence embedding of length 1."""

from __future__ import annotations

from typing import Any

from handlerkit import text_handler
from handlerkit.serving import Outputs
from handlerkit.text import Encoded


class Embedding(text_handler.TextHandler):
    """The vector in ``embedding`` (width,), as a list of floats."""

    def present(self, prepared: Encoded, outputs: Outputs) -> dict[str, Any]:
        """The embedding, its width, token count, and whether the text was cut."""
        vector = outputs["embedding"]
        return {
            "embedding": [round(float(x), 7) for x in vector],
            "dimensions": int(vector.shape[0]),
            "tokens": len(prepared.ids),
            "truncated": prepared.truncated,
        }
