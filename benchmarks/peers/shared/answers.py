"""The pattern by which a driver finds the label in a peer's answer.

Every character stands for itself, except `` *`` (a space and a star: any number of spaces) and ``{label}``.
"""

from __future__ import annotations

import json
import re


def body(template: str, text: str) -> str:
    """The request for ``text``: ``{text}`` becomes it, quoted as JSON."""
    return template.replace("{text}", json.dumps(text, ensure_ascii=False))


def regex(pattern: str, label: str) -> re.Pattern[str]:
    """The pattern for one label as a regular expression, to be searched for."""
    return re.compile(re.escape(pattern.replace("{label}", label)).replace(r"\ \*", " *"))


def lua(pattern: str, label: str) -> str:
    """The pattern for one label as a Lua pattern, to be searched for with ``string.find``."""
    escaped = re.sub(r"([^\w\s])", r"%\1", pattern.replace("{label}", label))
    return escaped.replace(" %*", " *")
