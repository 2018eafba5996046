"""What kind of CPU evidence belongs to, and how much memory and time is measured where."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from handlerkit.machine import cpu_class, cpu_flags

RELEVANT_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "amx_bf16",
    "asimddp",
    "bf16",
)


def describe() -> dict[str, Any]:
    """CPU class, model name and the flags that change the ranking of variants."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    name = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return {
        "cpu_class": cpu_class(),
        "cpu": name.group(1).strip() if name else "unknown",
        "flags": [flag for flag in RELEVANT_FLAGS if flag in cpu_flags()],
    }
