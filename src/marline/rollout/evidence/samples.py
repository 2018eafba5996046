"""Prometheus' answer as numbers with labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sample:
    """The newest value of one series.

    Attributes:
        labels: of the series, its name included.
        at: Unix seconds; in the answer to an instant selector those of the question.
        value: always finite.
    """

    labels: Mapping[str, str]
    at: float
    value: float

    @property
    def name(self) -> str:
        """The series' name."""
        return self.labels.get("__name__", "")

    @property
    def pod(self) -> str:
        """The pod that it is of."""
        return self.labels.get("pod", "")


def read(document: Mapping[str, Any]) -> list[Sample]:
    """The newest sample of every series in a vector or matrix; values that are no numbers are left out.

    Raises:
        ValueError: for another kind of document.
    """
    try:
        data = document["data"]
        kind = {"vector": "value", "matrix": "values"}[data["resultType"]]
        return list(_newest(data["result"], kind))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__} {error}") from error


def _newest(result: list[dict[str, Any]], kind: str) -> Iterator[Sample]:
    for series in result:
        # a native histogram has no such values
        if not (found := series.get(kind)):
            continue
        at, value = found if kind == "value" else found[-1]
        sample = Sample(dict(series["metric"]), float(at), float(value))
        if math.isfinite(sample.value):
            yield sample
