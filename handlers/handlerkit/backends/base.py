"""The protocol every backend keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Backend(Protocol):
    """A loaded model.  Not thread-safe: a worker runs one batch at a time."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all outputs.

        Args:
            inputs: one array per input of the manifest, with its dtype and shape.

        Returns:
            One array per output of the manifest, by name.
        """
        ...
