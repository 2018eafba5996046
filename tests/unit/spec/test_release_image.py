from __future__ import annotations

import pytest

from marline.spec.release_image import Image, ImageName

DIGEST = "sha256:" + "0" * 64


def test_an_image_has_a_tag_or_a_digest() -> None:
    assert ImageName.model_validate({"repository": "registry.example.com:5000/a/b", "tag": "1.0.0"}).digest is None
    assert ImageName.model_validate({"repository": "a", "digest": DIGEST}).tag is None
    with pytest.raises(ValueError, match="neither tag nor digest is given"):
        ImageName.model_validate({"repository": "a"})


@pytest.mark.parametrize("pull", ["Always", "IfNotPresent", "Never"])
def test_an_image_that_is_built_here_says_when_it_is_pulled(pull: str) -> None:
    assert Image.model_validate({"repository": "a", "tag": "1"}).pull_policy == "IfNotPresent"
    assert Image.model_validate({"repository": "a", "tag": "1", "pull_policy": pull}).pull_policy == pull


@pytest.mark.parametrize(
    "wrong",
    [
        {"repository": "A/b", "tag": "1"},
        {"repository": "https://a/b", "tag": "1"},
        {"repository": "a b", "tag": "1"},
        {"repository": "a", "tag": "-1"},
        {"repository": "a", "tag": "x" * 129},
        {"repository": "a", "tag": "latest"},
        {"repository": "a", "digest": "sha256:0"},
        {"repository": "a", "tag": "1", "pull_policy": "never"},
        {"repository": "a", "tag": "1", "name": "b"},
    ],
    ids=str,
)
def test_what_no_registry_takes_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Image.model_validate(wrong)
