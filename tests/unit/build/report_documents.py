"""A report as the build writes it, with every kind of variant that can be in one."""

from __future__ import annotations

from typing import Any

from marline.spec.gates import default_gates


def report() -> dict[str, Any]:
    variants = {
        "eager-fp32": entry("eager-fp32", 16.0, required=True),
        "torchscript-fp32": entry("torchscript-fp32", 15.0) | miss("max_rss_mb", 1500.0, 1612.5),
        "torch-int8-static": unmeasured("torch-int8-static", "fail") | miss("max_drop_points", 1.5, 2.25),
        "onnx-int8": entry("onnx-int8", 5.0, served_grouped=False, flips_solo_vs_batch=4),
        "onnx-int8-vnni": unmeasured("onnx-int8-vnni", "pass") | {"runs_on_this_cpu": False},
        "onnx-int8-static": failed("onnx-int8-static", 'a <script> & "quotes": nothing was quantized'),
    }
    limits = variants["onnx-int8"]["limits"] | {"max_drop_points": 0.75}
    variants["onnx-int8"] |= {"limits": limits, "loosened_because": "measured on three other data sets & accepted"}
    return {
        "schema_version": 1,
        "model": "sentiment",
        "version": "1.0.0",
        "task": "text-classification",
        "reference": "eager-fp32",
        "cpu_class": "avx2",
        "machine": {"cpu_class": "avx2", "cpu": "Some <CPU> @ 2 GHz", "flags": ["avx2"]},
        "versions": {"python": "3.11", "onnxruntime": "1.31.1"},
        "items": {"gate": 1458, "test": 1440},
        "default_variant": "onnx-int8",
        "default_portable": "onnx-int8",
        "warnings": ["not a proven <row> & so on"],
        "variants": variants,
    }


def quality(name: str, status: str) -> dict[str, Any]:
    return {
        "status": status, "required": False, "eligible": False, "missed": [], "error": None, "loosened_because": None,
        "limits": default_gates(name).model_dump(exclude={"reason"}), "accuracy": 0.85, "reference_accuracy": 0.852,
        "drop_points": 0.2, "drop_bound_points": 0.9, "agreement": 0.98, "max_abs": 0.6, "cosine": 0.995,
        "sqnr_db": 19.0, "flips_solo_vs_batch": 0, "flip_share": 0.0, "batch_drift": 0.1, "test_accuracy": 0.8475,
        "served_grouped": True, "runs_on_this_cpu": True, "size_bytes": 23_600_000, "sha256": "ab" * 32,
    }


def entry(name: str, p50: float, **changes: Any) -> dict[str, Any]:
    return quality(name, "pass") | {
        "eligible": True, "p50_ms": p50, "p95_ms": 1.5 * p50, "p50_ratio": 16 / p50, "p50_ratio_interval": [15 / p50, 17 / p50],
        "p95_ratio": 16 / p50, "throughput_ratio": 16 / p50, "rss_bytes": 139_000_000, "load_seconds": 0.61,
        "times_ms": [p50 * (0.75 + 0.01 * (i % 50)) for i in range(100)],
    } | changes


def miss(limit: str, allowed: float, found: float) -> dict[str, Any]:
    return {"eligible": False, "missed": [{"limit": limit, "allowed": allowed, "found": found}]}


def unmeasured(name: str, status: str) -> dict[str, Any]:
    return quality(name, status)


def failed(name: str, error: str) -> dict[str, Any]:
    kept = ("status", "required", "eligible", "missed", "limits", "loosened_because")
    return {key: quality(name, "fail")[key] for key in kept} | {"error": error}
