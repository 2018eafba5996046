"""Which nodes qualify: those whose CPU has what the artifact requires, and what it was measured with."""

from __future__ import annotations

from marline.rollout.facts import Facts
from marline.spec.release import ReleaseVariant

# the flags that make a class (handlerkit.machine.cpu_class)
OF_CLASS = {
    "avx2": ("avx2",),
    "avx512": ("avx2", "avx512f"),
    "avx512-vnni": ("avx2", "avx512f", "avx512_vnni"),
}
# classes without such flags are named by the machine; Kubernetes names machines in its own way
ARCHITECTURES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "amd64", "amd64": "amd64"}


def cpu_features(wanted: ReleaseVariant, facts: Facts) -> list[str]:
    """CPU flags in node-feature-discovery's spelling (``avx512_vnni`` is ``AVX512VNNI``), sorted."""
    flags = [*facts.cpu_flags]
    if wanted.cpu_features is None and facts.measured is not None:
        flags += OF_CLASS.get(facts.measured.cpu_class, ())
    return sorted({*(flag.upper().replace("_", "") for flag in flags), *(wanted.cpu_features or ())})


def architecture(wanted: ReleaseVariant, facts: Facts) -> dict[str, str]:
    """The node label of the machine, where the measured class is one without flags."""
    if facts.measured is None or wanted.cpu_features is not None:
        return {}
    found = ARCHITECTURES.get(facts.measured.cpu_class)
    return {"kubernetes.io/arch": found} if found else {}
