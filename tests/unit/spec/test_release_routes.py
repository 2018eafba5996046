from __future__ import annotations

from typing import Any

import pytest

from marline.spec.release_routes import Ingress, Routes

TLS = {"hosts": ["a.example.com", "b.example.com"], "secret_name": "a"}
GATEWAY = {"name": "public"}


def problems(kind: Any, data: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Paths of the keys that a validator objects to."""
    with pytest.raises(ValueError) as caught:
        kind.model_validate(data)
    return [
        (*problem["loc"], *path)
        for problem in caught.value.errors()  # type: ignore[attr-defined]
        for path, _ in problem["ctx"]["error"].problems
    ]


def test_routes_need_a_gateway() -> None:
    assert Routes.model_validate({"parent_refs": [GATEWAY]}).hostnames == []
    for wrong in ({}, {"parent_refs": []}, {"parent_refs": [{"namespace": "a"}]}):
        with pytest.raises(ValueError, match="parent_refs"):
            Routes.model_validate(wrong)


def test_an_attempt_is_part_of_the_request() -> None:
    for right in ({}, {"request_s": 5}, {"backend_request_s": 5}, {"request_s": 5, "backend_request_s": 5}):
        Routes.model_validate({"parent_refs": [GATEWAY], "timeouts": right})
    wrong = {"parent_refs": [GATEWAY], "timeouts": {"request_s": 5, "backend_request_s": 6}}
    assert problems(Routes, wrong) == [("timeouts", "backend_request_s")]


def test_a_certificate_is_for_names_of_the_ingress() -> None:
    Ingress.model_validate({"hosts": ["a.example.com", "b.example.com"], "tls": [TLS]})
    assert problems(Ingress, {"hosts": ["a.example.com"], "tls": [{"secret_name": "x"}, TLS]}) == [
        ("tls", "1", "hosts")
    ]
    assert problems(Ingress, {"tls": [TLS]}) == [("tls", "0", "hosts")] * 2
