from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from marline.spec.release_names import Hostname, Namespace, ObjectName, Seconds


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Seconds, [1, 3600], [0, 3601, 1.5, "60s"]),
        (Namespace, ["a", "a-1", "7"], ["", "A", "a.b", "-a", "a" * 64]),
        (ObjectName, ["a", "a.b-1"], ["", "A", "a_b", ".a"]),
        (Hostname, ["localhost", "a-b.example.com", "*.example.com"], ["", "*", "a.*.com", "A.com", "a.com:80", "-a.com", "a." * 130 + "com"]),
    ],
)
def test_what_kubernetes_would_refuse_is_refused(kind: Any, right: list[Any], wrong: list[Any]) -> None:
    adapter = TypeAdapter(kind)
    for value in right:
        assert adapter.validate_python(value, strict=True) == value
    for value in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(value, strict=True)
