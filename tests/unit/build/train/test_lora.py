from __future__ import annotations

import numpy as np
import torch
from torch import nn

from marline.build.sources import TextSource
from marline.build.sources.text import merge
from marline.build.train.lora import wrap

INPUTS = (torch.tensor([[2, 4, 20, 7, 3]]), torch.ones((1, 5), dtype=torch.int64))


def test_training_starts_at_the_encoder(text: TextSource):
    model, plain = text.model(), text.model()
    updates = wrap(model.encoder, 1, 4, 0)
    torch.testing.assert_close(model(*INPUTS), plain(*INPUTS), rtol=0, atol=0)
    assert sorted(updates) == sorted(
        f"encoder.layer.1.{name}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense", "output.dense")
    )


def test_only_the_updates_are_trained(text: TextSource):
    model = text.model()
    updates = wrap(model.encoder, 0, 2, 0)
    trained = {id(p) for p in model.encoder.parameters() if p.requires_grad}
    assert trained == {id(p) for u in updates.values() for p in (u.a, u.b)}
    assert len(updates) == 12


def test_the_same_seed_gives_the_same_start(text: TextSource):
    one, two, other = (wrap(text.model().encoder, 1, 2, seed) for seed in (3, 3, 4))
    name = "encoder.layer.1.output.dense"
    torch.testing.assert_close(one[name].a, two[name].a, rtol=0, atol=0)
    assert not torch.equal(one[name].a, other[name].a)


def test_merged_weights_compute_what_was_trained(text: TextSource, tmp_path):
    model = text.model()
    updates = wrap(model.encoder, 1, 4, 0)
    torch.manual_seed(1)
    for update in updates.values():
        nn.init.normal_(update.b, std=0.1)
    tensors = {}
    for name, update in updates.items():
        tensors |= {f"encoder.{name}.lora_a": update.a.detach().numpy(), f"encoder.{name}.lora_b": update.b.detach().numpy()}
    weights = merge(text.weights, tensors, tmp_path)
    merged = TextSource(text.config, text.tokenizer, weights, text.head, text.classes).model()
    with torch.no_grad():
        wanted, found, before = model(*INPUTS).numpy(), merged(*INPUTS).numpy(), text.model()(*INPUTS).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert np.abs(found - before).max() > 0.1
