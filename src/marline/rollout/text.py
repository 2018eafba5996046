"""Values and objects as YAML: the same text every time, block style, long texts as they are."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, no aliases, list items below their key."""

    def ignore_aliases(self, data: Any) -> bool:
        """A value stands where it is used."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """List items are indented."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any, *header: str) -> str:
    """YAML of ``value``; every line of ``header`` becomes a comment above it."""
    comments = "".join(f"# {line}\n" for line in header)
    return comments + yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1_000_000, allow_unicode=True)
