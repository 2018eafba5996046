"""Variants: one file each, chosen by name; a variant that cannot be built as named is an error."""

from __future__ import annotations

import importlib
from types import ModuleType

from marline.build.variants.base import Built, Context
from marline.errors import BuildError
from marline.spec.names import VARIANTS


def variant_module(variant: str) -> ModuleType:
    """The module that builds a variant (``build``) and perhaps calibrates it (``calibrate``)."""
    return importlib.import_module(f"marline.build.variants.{variant.replace('-', '_')}")


def build_variant(context: Context) -> Built:
    """Build ``context.variant`` into ``context.out``.

    Raises:
        BuildError: when the artifact would not be what its name says.
    """
    kind = VARIANTS[context.variant]
    if kind.calibrated and not context.calibration:
        raise BuildError(
            f"{context.spec.name} {context.variant}: the calibration file has no section for it; run `marline train {context.spec.name}`"
        )
    built: Built = variant_module(context.variant).build(context)
    return built


__all__ = ["Built", "Context", "build_variant", "variant_module"]
