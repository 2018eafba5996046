from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from handlerkit.backends import bf16
from handlerkit.backends.text_model import WideLinear
from marline.build.gate.compare import compare
from marline.build.sources import TextSource
from marline.build.variants import Context, build_variant
from marline.build.variants.describe import draft_manifest
from unit.build import tiny

BF16_UNIT = 2**-8


def test_the_encoder_is_bf16_the_head_fp32_and_no_cpu_flag_is_needed(context: Callable[[str], Context]):
    made = context("eager-bf16")
    built, backend = tiny.make(made)
    weights = load_file(made.out / "model.safetensors")
    assert {n for n, w in weights.items() if w.dtype == torch.float32} == {"head.weight", "head.bias"}
    assert {w.dtype for n, w in weights.items() if n.startswith("encoder.")} == {torch.bfloat16}
    assert built.facts == {"bf16_tensors": len(weights) - 2}
    assert draft_manifest(made, built).requirements.cpu_flags == ()
    out = backend.run({n: np.ones((2, 3), np.int64) for n in ("input_ids", "attention_mask")})
    assert out["logits"].dtype == np.float32


@pytest.mark.parametrize("instructions", [True, False], ids=["native", "widened"])
def test_answers_are_those_of_fp32_but_for_rounding(
    context: Callable[[str], Context], text: TextSource, instructions: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bf16, "has_instructions", lambda: instructions)
    asked = tiny.questions(text)
    eager, narrow = (tiny.answers(tiny.make(context(name))[1], asked) for name in ("eager-fp32", "eager-bf16"))
    found = compare(eager, narrow, "text-classification", 1)
    assert found.agreement == 1.0
    assert 30 < found.sqnr_db < 100  # rounded, and not wrong


def test_it_is_the_same_bytes_again_and_about_half_as_large(context: Callable[[str], Context]):
    made = context("eager-bf16")
    files = []
    for _ in range(2):
        made.out.mkdir(exist_ok=True)
        build_variant(made)
        files.append((made.out / "model.safetensors").read_bytes())
    assert files[0] == files[1]
    wide = context("eager-fp32")
    wide.out.mkdir()
    build_variant(wide)
    assert len(files[0]) < 0.6 * (wide.out / "model.safetensors").stat().st_size


def test_a_widened_layer_rounds_once_as_bf16_instructions_do():
    torch.manual_seed(0)
    linear = nn.Linear(64, 16).requires_grad_(False)
    linear.weight.copy_(torch.randint(-8, 9, linear.weight.shape))
    linear.bias.copy_(torch.randint(-8, 9, linear.bias.shape))
    x = torch.randint(-8, 9, (5, 64))
    exact = x.double() @ linear.weight.double().T + linear.bias.double()
    # whole numbers this small are summed exactly, so there is one right answer
    wide = WideLinear(linear.to(torch.bfloat16))
    assert torch.equal(wide(x.to(torch.bfloat16)), exact.to(torch.bfloat16))
    assert not torch.equal(exact, exact.to(torch.bfloat16).double())


def test_only_bf16_layers_are_widened_and_only_where_the_cpu_has_no_instructions(
    text: TextSource, monkeypatch: pytest.MonkeyPatch
):
    def layers(narrow: bool, instructions: bool) -> int:
        monkeypatch.setattr(bf16, "has_instructions", lambda: instructions)
        model = text.model()
        if narrow:
            model.encoder.to(torch.bfloat16)
        return sum(isinstance(m, WideLinear) for m in bf16.fit(model).modules())

    assert layers(narrow=True, instructions=True) == 0
    assert layers(narrow=False, instructions=False) == 0
    assert layers(narrow=True, instructions=False) == 6 * 2  # all of both layers, not the head


def test_attention_is_as_near_to_fp32_widened_as_native(text: TextSource, monkeypatch: pytest.MonkeyPatch):
    (question,) = tiny.questions(text, 1)
    inputs = [torch.from_numpy(question[n]) for n in ("input_ids", "attention_mask")]
    with torch.no_grad():
        right = text.model()(*inputs)
        found = []
        for instructions in (True, False):
            monkeypatch.setattr(bf16, "has_instructions", lambda yes=instructions: yes)
            model = text.model()
            model.encoder.to(torch.bfloat16)
            found.append(bf16.fit(model)(*inputs))
    scale = float(right.abs().max())
    assert all(float((out - right).abs().max()) < 16 * BF16_UNIT * scale for out in found)
