"""Tracing text models: one place for example inputs and for what a traced module must prove."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from marline.errors import BuildError

EXAMPLE = (2, 16)
OTHER_SHAPES = ((1, 3), (3, 40))


def example(batch: int, tokens: int, vocabulary: int = 21000) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids below ``vocabulary`` and a mask with padding in its last row, the same in every build."""
    first = 1000 if vocabulary >= 21000 else 0
    ids = (torch.arange(batch * tokens).reshape(batch, tokens) * 7919) % min(20000, vocabulary - first) + first
    mask = torch.ones_like(ids)
    if batch > 1:
        mask[-1, tokens // 2 :] = 0
    return ids, mask


def trace_text(module: nn.Module, target: Path, name: str) -> None:
    """Trace ``module`` and save it, after checking that shapes other than the traced one agree.

    transformers 5 has no TorchScript support of its own: what is traced is our module, whose output
    is one tensor.

    Raises:
        BuildError: when the trace is frozen to the example's shape or differs from the module.
    """
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        # torch.jit warns that it is deprecated; this variant exists for those who have it in service
        warnings.simplefilter("ignore")
        config = module.encoder.config
        # The first types of a process have plain names and share a file per Python module, all later ones
        # have a file each.  After one trace every trace is of the second kind, so that the bytes do not
        # depend on what was built before.
        for _ in range(2):
            traced = torch.jit.trace(module, example(*EXAMPLE, config.vocab_size), check_trace=False)
        for batch, most in OTHER_SHAPES:
            shape = (batch, min(most, config.max_position_embeddings))
            inputs = example(*shape, config.vocab_size)
            try:
                distance = float((traced(*inputs) - module(*inputs)).abs().max())
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise BuildError(f"{name}: the trace does not work for shape {shape}: {reason}") from error
            if not distance < 1e-3:
                raise BuildError(
                    f"{name}: the trace differs from the module by {distance:.3g} at shape {shape}; it holds a constant of the example"
                )
        torch.jit.save(traced, str(target))
