"""Text to token ids, through the ``tokenizers`` library (no torch, no transformers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """Token ids of one text (special tokens included), and whether the text was cut to fit."""

    ids: list[int]
    truncated: bool


class Tokenizer:
    """A ``tokenizer.json`` with truncation at ``max_length`` tokens and padding done by us."""

    def __init__(self, path: Path, max_length: int) -> None:
        from tokenizers import Tokenizer as Engine

        self._engine = Engine.from_file(str(path))
        padding = self._engine.padding or {}
        self._engine.no_padding()
        self._engine.enable_truncation(max_length)
        # masked out, but some position embeddings are counted from it; 0 where the tokenizer has none
        known = (padding.get("pad_id"), *(self._engine.token_to_id(token) for token in ("[PAD]", "<pad>")), 0)
        self._pad: int = next(pad for pad in known if pad is not None)

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Encode each text on its own."""
        return [Encoded(e.ids, bool(e.overflowing)) for e in self._engine.encode_batch(list(texts))]

    def pad(self, rows: Sequence[Sequence[int]], length: int | None = None) -> dict[str, np.ndarray]:
        """Pad token ids to a rectangle.

        Args:
            rows: token ids, one list per text.
            length: columns; the longest row if None.

        Returns:
            ``input_ids`` and ``attention_mask``, int64, shape (rows, length).
        """
        width = length or max(len(row) for row in rows)
        ids = np.full((len(rows), width), self._pad, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}
