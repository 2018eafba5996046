"""What TorchServe's documentation leads to: a BaseHandler, eager fp32, padded to the longest text of the batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast
from ts.torch_handler.base_handler import BaseHandler

from handlerkit import backends, manifest


class SentimentHandler(BaseHandler):
    """Text to label; no thread count is set, because the default handler sets none."""

    def initialize(self, context: Any) -> None:
        """Load weights and tokenizer beside this file."""
        directory = Path(context.system_properties["model_dir"])
        described = manifest.read(directory)
        self.labels = described.labels
        self.length = int(described.inference_parameters["max_length"])
        self.model = backends.load(described, directory, torch.get_num_threads())
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(directory / described.tokenizer), pad_token="[PAD]")
        self.initialized = True

    def preprocess(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        """Bodies to one padded batch."""
        bodies = [row.get("body") or row.get("data") for row in requests]
        texts = [(body if isinstance(body, dict) else json.loads(body))["text"] for body in bodies]
        encoded = self.tokenizer(texts, padding=True, truncation=True, max_length=self.length, return_tensors="np")
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}

    def inference(self, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
        """Logits."""
        return torch.from_numpy(self.model.run(inputs)["logits"])

    def postprocess(self, logits: Any) -> list[dict[str, Any]]:
        """Label and confidence."""
        scores = torch.softmax(logits, dim=1)
        best = scores.argmax(dim=1)
        return [{"label": self.labels[i], "confidence": float(s[i])} for i, s in zip(best.tolist(), scores, strict=True)]
