"""What Kubernetes allows as a name, and the times of a release."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Seconds = Annotated[int, Field(ge=1, le=3600)]
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
# of a request; `*.` stands for any one label
Hostname = Annotated[
    str,
    Field(max_length=253, pattern=r"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"),
]
