"""Training of a ``mean-linear`` head with low-rank updates of the upper layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from handlerkit.backends.text_model import TextModel
from handlerkit.text import Tokenizer
from marline.build.data import Item
from marline.build.sources import TextSource
from marline.build.train.lora import wrap
from marline.spec.model import Training

WARM_UP = 0.06
SHUFFLE_WINDOW = 16


def train_head(
    text: TextSource, settings: Training, items: list[Item], max_length: int, target: Path, say: Callable[[str], None]
) -> None:
    """Train and write ``target`` (safetensors, float32): ``head.*`` and ``<layer>.lora_a`` / ``.lora_b``.

    The target of an item is soft: sigmoid(temperature * mean rating), so that snippets on which
    people disagreed pull less than clear ones.

    Args:
        text: the encoder.
        settings: seed, epochs, rates.
        items: the training split.
        max_length: tokens per text.
        target: file to write.
        say: called with a line of progress per epoch.
    """
    torch.manual_seed(settings.seed)
    model = text.model()
    updates = wrap(model.encoder, settings.frozen_layers, settings.rank, settings.seed)
    model.head = nn.Linear(text.config["hidden_size"], text.classes)
    tokenizer = Tokenizer(text.tokenizer, max_length)
    rows = [e.ids for e in tokenizer.encode([item.text for item in items])]
    wanted = torch.sigmoid(settings.rating_temperature * torch.tensor([item.rating for item in items]))
    groups = [
        {
            "params": [p for u in updates.values() for p in (u.a, u.b)],
            "peak": settings.learning_rate,
            "weight_decay": 0.01,
        },
        {"params": list(model.head.parameters()), "peak": 2 * settings.learning_rate, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    steps = settings.epochs * -(-len(rows) // settings.batch_size)
    step = 0
    rng = np.random.default_rng(settings.seed)
    for epoch in range(settings.epochs):
        total = 0.0
        for batch in _batches([len(r) for r in rows], settings.batch_size, rng):
            rate = min(1.0, (step + 1) / (WARM_UP * steps)) * max(0.0, 1 - step / steps)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
            loss = _loss(model, tokenizer, [rows[i] for i in batch], wanted[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
            step += 1
        say(f"epoch {epoch + 1} of {settings.epochs}: mean loss {total / len(rows):.4f}")
    tensors = {"head.weight": model.head.weight, "head.bias": model.head.bias}
    for name, update in updates.items():
        tensors |= {f"encoder.{name}.lora_a": update.a, f"encoder.{name}.lora_b": update.b}
    save_file({n: t.detach().numpy() for n, t in sorted(tensors.items())}, target)


def _loss(model: TextModel, tokenizer: Tokenizer, rows: list[list[int]], wanted: Tensor) -> Tensor:
    inputs = tokenizer.pad(rows)
    logits = model(torch.from_numpy(inputs["input_ids"]), torch.from_numpy(inputs["attention_mask"]))
    chances = torch.log_softmax(logits, dim=-1)
    return -(wanted * chances[:, 1] + (1 - wanted) * chances[:, 0]).mean()


def _batches(lengths: list[int], size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Batches of similar length, in random order: sorted inside windows of a shuffled list."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), size * SHUFFLE_WINDOW):
        window = sorted(order[start : start + size * SHUFFLE_WINDOW].tolist(), key=lambda i: lengths[i])
        batches += [window[i : i + size] for i in range(0, len(window), size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]
