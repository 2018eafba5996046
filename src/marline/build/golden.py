"""Golden requests: recorded by ``marline train`` with the reference's answers, carried by every archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handlerkit import codec
from handlerkit.manifest import Golden
from handlerkit.text import Tokenizer
from marline.build.gate.questions import generated
from marline.build.sources import ModelSource, TextSource
from marline.errors import BuildError, SourceError
from marline.spec.model import ModelSpec

DECIMALS = 4
MIN_MARGIN = 1.0
TENSOR_GOLDEN = 3


def record_text(spec: ModelSpec, text: TextSource) -> list[Golden]:
    """The reference's answers to ``golden_texts``, one thread, each alone.

    Raises:
        BuildError: for a text whose two best logits are closer than ``MIN_MARGIN``: a golden item
            must not depend on rounding.
    """
    model, tokenizer = text.model(), Tokenizer(text.tokenizer, spec.inference_parameters.max_length)
    name = "embedding" if spec.task == "embedding" else "logits"
    out = []
    for encoded, sentence in zip(tokenizer.encode(spec.golden_texts), spec.golden_texts, strict=True):
        inputs = tokenizer.pad([encoded.ids])
        with torch.inference_mode():
            row = model(torch.from_numpy(inputs["input_ids"]), torch.from_numpy(inputs["attention_mask"]))[0].numpy()
        label = None
        if spec.task == "text-classification":
            best = np.sort(row)[::-1]
            if best[0] - best[1] < MIN_MARGIN:
                raise BuildError(
                    f"{spec.name}: golden text {sentence[:40]!r} has a top-1 margin of {best[0] - best[1]:.2f}, at least {MIN_MARGIN} "
                    "is needed; choose a clearer text"
                )
            label = spec.labels[int(row.argmax())]
        out.append(Golden({"text": sentence}, label, {name: [round(float(v), DECIMALS) for v in row]}))
    return out


def generated_requests(spec: ModelSpec) -> list[dict[str, Any]]:
    """Requests for a tensor model, as a client would send them."""
    return [
        {"inputs": {name: value.tolist() for name, value in generated(spec.inputs, number).items()}}
        for number in range(TENSOR_GOLDEN)
    ]


def write(path: Path, golden: list[Golden]) -> None:
    """Write the requests and answers as JSON."""
    path.write_text(json.dumps([codec.plain(g) for g in golden], indent=1, ensure_ascii=False) + "\n")


def read(spec: ModelSpec, source: ModelSource) -> tuple[Golden, ...]:
    """The spec's golden requests; none if it names no file."""
    if spec.golden is None:
        return ()
    path = source.input(spec.golden.file)
    try:
        return tuple(codec.loads(Golden, json.dumps(entry)) for entry in json.loads(path.read_text()))
    except (json.JSONDecodeError, codec.CodecError, TypeError) as error:
        raise SourceError(
            f"{path}: is not a list of golden requests ({error}); record it with `marline train {spec.name}`"
        ) from error
