"""TorchServe handler for any model with tensor inputs: nested lists in, nested lists out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handlerkit import serving
from handlerkit.errors import RequestError
from handlerkit.manifest import Dim, Tensor
from handlerkit.requests import names
from handlerkit.serving import Outputs


class TensorModel(serving.Handler):
    """``{"inputs": {name: nested list}}``, checked against the manifest's names, dtypes and shapes.

    Each item is one call of the model: a tensor model's first dimension need not be a batch.
    """

    item_key = "inputs"

    def prepare(self, items: Sequence[Any]) -> list[Any]:
        """Arrays by input name, or the RequestError that says which input is wrong and how."""
        out: list[Any] = []
        for item in items:
            try:
                out.append(self._arrays(item))
            except RequestError as error:
                out.append(error)
        return out

    def compute(self, prepared: Sequence[dict[str, np.ndarray]]) -> list[Outputs | RequestError]:
        """One backend call per item."""
        return [self.run_one(arrays) for arrays in prepared]

    def present(self, prepared: dict[str, np.ndarray], outputs: Outputs) -> dict[str, Any]:
        """Every output as nested lists, by name."""
        return {"outputs": {name: value.tolist() for name, value in outputs.items()}}

    def _arrays(self, item: Any) -> dict[str, np.ndarray]:
        expected = {t.name: t for t in self.manifest.inputs}
        if not isinstance(item, dict) or set(item) != set(expected):
            found = names(item) if isinstance(item, dict) else type(item).__name__
            raise RequestError(400, f'"inputs" must be an object with exactly {sorted(expected)}; found {found}.')
        return {name: _array(expected[name], value) for name, value in item.items()}


# kinds of values (numpy's letters) that mean a number of the target's kind: no text, no rounding
_ACCEPTED = {"f": "iuf", "i": "iu", "u": "iu", "b": "b"}


def _array(tensor: Tensor, value: Any) -> np.ndarray:
    target = np.dtype(tensor.dtype)
    try:
        given = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise RequestError(400, f"Input {tensor.name!r} is not a rectangular array.") from error
    allowed = [f"{d.min}..{d.max}" if isinstance(d, Dim) else str(d) for d in tensor.shape]
    fits = given.ndim == len(tensor.shape) and all(
        (d.min <= n <= d.max) if isinstance(d, Dim) else n == d
        for n, d in zip(given.shape, tensor.shape, strict=True)
    )
    if not fits:
        shape = list(given.shape)
        raise RequestError(400, f"Input {tensor.name!r} has shape {shape}; allowed: [{', '.join(allowed)}].")
    if given.dtype.kind not in _ACCEPTED[target.kind]:
        raise RequestError(400, f"Input {tensor.name!r} holds values that are not of type {tensor.dtype}.")
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        array = given.astype(target)
    if target.kind in "iu" and not np.array_equal(array, given):
        raise RequestError(400, f"Input {tensor.name!r} holds a value outside the range of {tensor.dtype}.")
    if not np.isfinite(array).all():
        raise RequestError(400, f"Input {tensor.name!r} holds a value that is not finite or too large.")
    return array
