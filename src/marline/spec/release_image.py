"""Names of container images in a release."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from marline.spec import release_rules as rules
from marline.spec.base import Strict


class ImageName(Strict):
    """A container image; a digest never moves, a tag may."""

    repository: str = Field(
        pattern=r"^[a-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*$", description="Registry and name."
    )
    tag: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", description="Tag; `latest` is refused."
    )
    digest: str | None = Field(
        default=None, pattern=r"^sha256:[0-9a-f]{64}$", description="With it the tag is only a remark."
    )

    @model_validator(mode="after")
    def _can_be_named(self) -> ImageName:
        rules.require(rules.image(self))
        return self


class Image(ImageName):
    """The image that `make image` builds."""

    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When a node asks the registry."
    )
