"""The fp32 ONNX graph that all ONNX variants start from: exported, fused, and counted."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import torch
from google.protobuf.message import DecodeError

from marline.build.variants.base import Context
from marline.build.variants.trace import EXAMPLE, example
from marline.errors import BuildError

OPSET = 17


def exported(context: Context) -> Path:
    """The graph as torch's exporter writes it; made once per build.

    The legacy exporter, with attention in its textbook form: ONNX Runtime's transformer optimizer
    recognises that graph, and does not recognise the dynamo exporter's.
    """
    assert context.text is not None
    target = context.shared / "exported.onnx"
    if target.exists():
        return target
    model = context.text.model()
    model.plain(True)
    output = "embedding" if context.spec.task == "embedding" else "logits"
    axes = {n: {0: "batch", 1: "tokens"} for n in ("input_ids", "attention_mask")} | {output: {0: "batch"}}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example(*EXAMPLE, model.encoder.config.vocab_size),
            str(target),
            input_names=["input_ids", "attention_mask"],
            output_names=[output],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=True,
        )
    _anonymous(target)
    return target


def fused(context: Context, attention: bool = True) -> tuple[Path, dict[str, int]]:
    """The graph after ONNX Runtime's transformer optimizer, and how many nodes were fused, by kind.

    Args:
        context: the build.
        attention: fuse attention and skip connections too; without, only LayerNorm and Gelu are
            fused, which is what the static quantizer can work with.

    Raises:
        BuildError: when a layer's attention, normalisation or activation was not fused.
    """
    assert context.text is not None
    target = context.shared / f"fused-{'all' if attention else 'static'}.onnx"
    if not target.exists():
        from onnxruntime.transformers import optimizer
        from onnxruntime.transformers.fusion_options import FusionOptions

        config = context.text.config
        options = FusionOptions("bert")
        if not attention:
            options.enable_attention = options.enable_skip_layer_norm = options.enable_embed_layer_norm = False
            options.enable_bias_skip_layer_norm = options.enable_bias_gelu = False
        logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
        model = optimizer.optimize_model(
            str(exported(context)),
            "bert",
            num_heads=heads(config),
            hidden_size=hidden(config),
            optimization_options=options,
            opt_level=0,
        )
        # shapes inferred before fusion are stale and mislead the quantizers
        del model.model.graph.value_info[:]
        model.save_model_to_file(str(target))
    found = counts(target)
    if attention:
        check(context, found, layers(context.text.config))
    return target, found


def check(context: Context, found: dict[str, int], expected: int) -> None:
    """A graph whose layers were not all fused is not what the variant promises."""
    fusions = {"Attention": expected, "LayerNormalization": 2 * expected, "Gelu": expected}
    have = {
        "Attention": found.get("Attention", 0),
        "LayerNormalization": found.get("SkipLayerNormalization", 0),
        "Gelu": found.get("BiasGelu", 0) + found.get("Gelu", 0) + found.get("FastGelu", 0),
    }
    for kind, number in fusions.items():
        if have[kind] < number:
            raise BuildError(
                f"{context.spec.name} {context.variant}: {have[kind]} of {number} {kind} nodes were fused; "
                "the exporter or the optimizer changed, check the versions against config/compat.yaml"
            )


def counts(path: Path) -> dict[str, int]:
    """Nodes by operator.

    Raises:
        BuildError: when the file is not an ONNX graph.
    """
    try:
        nodes = onnx.load(str(path), load_external_data=False).graph.node
    except DecodeError as error:
        raise BuildError(f"{path.name}: is not an ONNX graph ({error}); correct `source` in the spec") from error
    return dict(sorted(Counter(node.op_type for node in nodes).items()))


def heads(config: dict[str, Any]) -> int:
    """Attention heads, under the names that encoder families use."""
    return int(config.get("num_attention_heads") or config["n_heads"])


def hidden(config: dict[str, Any]) -> int:
    """Width of the encoder."""
    return int(config.get("hidden_size") or config["dim"])


def layers(config: dict[str, Any]) -> int:
    """Layers of the encoder."""
    return int(config.get("num_hidden_layers") or config["n_layers"])


def _anonymous(path: Path) -> None:
    """Drop doc strings: the exporter writes the machine's source paths into them."""
    model = onnx.load(str(path))
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, str(path))
