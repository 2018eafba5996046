"""Static int8 with ONNX Runtime's QDQ quantizer, on the products whose second factor is a weight.

Only inputs and weights are quantized: a session then computes integer products with float results
(``MatMulIntegerToFloat``), which loses less than quantized results and was as fast.  Attention's two
products have no weight and stay.  So does a Gemm: it stands in heads only, one vector per text, and
has an integer kernel only if its result, the logits, is quantized too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from marline.build.gate.exam import Inputs

DECIMALS = 4
OPTIONS = {
    "DefaultTensorType": onnx.TensorProto.FLOAT,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "OpTypesToExcludeOutputQuantization": ["MatMul"],
}


def products(graph: Path) -> dict[str, str]:
    """Name of each product with a constant weight, to the tensor that is multiplied with it."""
    return _products(onnx.load(str(graph)))


def observe(graph: Path, rows: Sequence[Inputs]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each product's input over all rows."""
    model = onnx.load(str(graph))
    names = list(dict.fromkeys(_products(model).values()))
    present = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in names if n not in present)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for row in rows:
        values = session.run(names, dict(row))
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    return {n: (round(float(a), DECIMALS), round(float(b), DECIMALS)) for n, a, b in zip(names, low, high, strict=True)}


def quantize(source: Path, target: Path, ranges: Mapping[str, tuple[float, float]], keep_fp32: Sequence[str]) -> None:
    """Quantize a graph file into another: uint8 inputs, signed 7-bit weights per channel.

    Seven bits, because the products of eight saturate 16-bit sums where the CPU has no VNNI.

    Args:
        source: the fp32 graph.
        target: file to write.
        ranges: of every product's input.
        keep_fp32: names of products to leave as they are.
    """
    model = onnx.load(str(source))
    chosen = [name for name in _products(model) if name not in keep_fp32]
    copies = _copy_inputs(model, chosen)
    # the quantizer passes over a tensor whose type it cannot infer, as behind ONNX Runtime's own operators
    model.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in copies
    )
    measured = {
        copy: TensorData(lowest=np.float32(ranges[t][0]), highest=np.float32(ranges[t][1]))
        for copy, t in copies.items()
    }
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=True,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, measured),
        nodes_to_quantize=chosen,
        nodes_to_exclude=[],
        op_types_to_quantize=["MatMul"],
        extra_options=OPTIONS,
    )
    # the quantizer advises on pre-processing through the root logger
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quantizer.quantize_model()
    finally:
        logging.getLogger().setLevel(level)
    quantizer.model.save_model_to_file(str(target))


def quantized(graph: Path, scratch: Path) -> list[str]:
    """Names of the products that a session really computes in integers.

    Read from the graph as the session has optimised it, because a pair of quantizing nodes that the
    session does not fuse is fp32 with rounding errors.

    Args:
        graph: the quantized graph.
        scratch: folder for the optimised one.
    """
    optimised = scratch / f"{graph.stem}-optimised.onnx"
    options = ort.SessionOptions()
    # the session warns that an optimised file is for this machine only
    options.log_severity_level = 3
    options.optimized_model_filepath = str(optimised)
    ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return [node.name for node in onnx.load(str(optimised)).graph.node if node.op_type == "MatMulIntegerToFloat"]


def _products(model: onnx.ModelProto) -> dict[str, str]:
    weights = {initializer.name for initializer in model.graph.initializer}
    return {n.name: n.input[0] for n in model.graph.node if n.op_type == "MatMul" and n.input[1] in weights}


def _copy_inputs(model: onnx.ModelProto, chosen: Sequence[str]) -> dict[str, str]:
    """Give the chosen products a copy of their inputs, and return each copy's name with its origin's.

    The quantizer replaces a tensor for all its readers: without a copy the skip connections, and
    the products to keep in fp32, would get quantized values too.  The session drops the copying.
    """
    copies: dict[str, str] = {}
    nodes = []
    for node in model.graph.node:
        if node.name in chosen and node.op_type == "MatMul":
            origin = node.input[0]
            copy = f"{origin}_to_quantize"
            if copy not in copies:
                copies[copy] = origin
                nodes.append(onnx.helper.make_node("Identity", [origin], [copy], name=f"{copy}_copy"))
            node.input[0] = copy
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return copies
