"""Text to types: the one place where YAML is read.

``load_model_spec`` parses, validates and resolves; all problems of a file are reported together.
"""

from marline.spec.compat import Compat, load_compat
from marline.spec.gates import Gates
from marline.spec.load import load_model_spec, resolve_spec_path
from marline.spec.model import InferenceParameters, ModelSpec, VariantSpec
from marline.spec.names import FORMATS, VARIANTS

__all__ = [
    "FORMATS",
    "VARIANTS",
    "Compat",
    "Gates",
    "InferenceParameters",
    "ModelSpec",
    "VariantSpec",
    "load_compat",
    "load_model_spec",
    "resolve_spec_path",
]
