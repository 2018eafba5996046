"""What text classification and embedding share: tokens in, length-aware groups, outputs out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlerkit.batching import LONG, groups, measured_run_cost
from handlerkit.errors import RequestError
from handlerkit.requests import text_of
from handlerkit.serving import Handler, Outputs
from handlerkit.text import Encoded, Tokenizer


class TextHandler(Handler):
    """Tokenizes, groups by length, runs, and puts the outputs back in order."""

    def setup(self) -> None:
        """Load the tokenizer beside the model; read ``inference_parameters``."""
        p = self.manifest.inference_parameters
        self.tokenizer = Tokenizer(self.directory / str(self.manifest.tokenizer), int(p["max_length"]))
        self.max_chars = int(p["max_chars"])
        self.max_group = int(p["max_group"])
        self.max_padding = float(p["max_padding"])
        self.run_cost = 0.0
        if self.max_group > 1 and int(p["max_length"]) >= LONG:
            self.run_cost = measured_run_cost(lambda tokens: self.backend.run(self.tokenizer.pad([[0] * tokens])))

    def prepare(self, items: Sequence[Any]) -> list[Encoded | RequestError]:
        """Token ids per text; what is not a text becomes its RequestError."""
        out: list[Any] = []
        for item in items:
            try:
                out.append(text_of(item, self.max_chars))
            except RequestError as error:
                out.append(error)
        texts = [i for i, value in enumerate(out) if isinstance(value, str)]
        for i, encoded in zip(texts, self.tokenizer.encode([out[i] for i in texts]) if texts else [], strict=True):
            out[i] = encoded if encoded.ids else RequestError(400, "The text has no tokens; send words.")
        return out

    def compute(self, prepared: Sequence[Encoded]) -> list[Outputs | RequestError]:
        """Outputs per text, in the groups that cost least, each padded to its own longest member."""
        out: list[Any] = [None] * len(prepared)
        for group in groups([len(e.ids) for e in prepared], self.max_group, self.max_padding, self.run_cost):
            rows = [prepared[i].ids for i in group]
            for i, outputs in zip(group, self.run_each(rows, self.tokenizer.pad), strict=True):
                out[i] = outputs
        return out
