"""TorchServe handler: text to label, confidence and scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from handlerkit import text_handler
from handlerkit.serving import Outputs
from handlerkit.text import Encoded


class TextClassification(text_handler.TextHandler):
    """Softmax over ``logits`` (classes,), labels from the manifest."""

    def present(self, prepared: Encoded, outputs: Outputs) -> dict[str, Any]:
        """Label, confidence in [0, 1], score per label, token count, and whether the text was cut."""
        logits = outputs["logits"].astype(np.float64)
        weights = np.exp(logits - logits.max())
        scores = weights / weights.sum()
        best = int(scores.argmax())
        labels = self.manifest.labels
        return {
            "label": labels[best],
            "confidence": round(float(scores[best]), 6),
            "scores": {label: round(float(score), 6) for label, score in zip(labels, scores, strict=True)},
            "tokens": len(prepared.ids),
            "truncated": prepared.truncated,
        }
