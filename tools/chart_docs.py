"""Write the table of values in helm/README.md from the comments of helm/values.yaml.

python tools/chart_docs.py            write the table
python tools/chart_docs.py --check    write nothing; exit code 1 if it is stale

Above every key of values.yaml stands its meaning. A line such as `#key: value`, without a space after the sign, is a
key that has no default; its value is an example.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent.parent / "helm"
BLOCK = re.compile(r"(<!-- generated: values -->\n).*?(<!-- end -->)", re.DOTALL)
PROSE = re.compile(r"^ *# (?P<text>.*)$")
KEY = re.compile(r"^(?P<indent> *)(?P<off>#?)(?P<name>[A-Za-z][\w-]*):(?: (?P<value>.+))?$")


@dataclass(frozen=True)
class Row:
    """One key: its place, its default as YAML (empty: none, or a map whose keys follow), an example, its meaning."""

    path: tuple[str, ...]
    default: str
    example: str
    meaning: str

    @property
    def cells(self) -> tuple[str, str, str]:
        """What the table shows."""
        example = f" Example: `{self.example}`" if self.example else ""
        return f"`{'.'.join(self.path)}`", f"`{self.default}`" if self.default else "", self.meaning + example


def rows(text: str) -> Iterator[Row]:
    """Every key of values.yaml in its order.

    Raises:
        SystemExit: for a key without a meaning above it.
    """
    values = yaml.safe_load(text)
    above: list[tuple[int, str]] = []
    prose: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := PROSE.match(line):
            prose.append(match["text"])
            continue
        if match := KEY.match(line):
            indent = len(match["indent"])
            above = [(depth, name) for depth, name in above if depth < indent] + [(indent, match["name"])]
            path = tuple(name for _, name in above)
            if not prose:
                raise SystemExit(
                    f"helm/values.yaml:{number}: {'.'.join(path)} has no comment above it; say what it means"
                )
            default, example = ("", match["value"] or "") if match["off"] else (_default(values, path), "")
            yield Row(path, default, example, " ".join(prose))
        prose = []


def _default(values: dict[str, Any], path: tuple[str, ...]) -> str:
    here: Any = values
    for name in path:
        here = here[name]
    return "" if isinstance(here, dict) and here else json.dumps(here)


def table(text: str) -> str:
    """The table as Markdown."""
    lines = [("key", "default", "meaning"), ("---", "---", "---"), *(row.cells for row in rows(text))]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def written(readme: str, values: str) -> str:
    """The README with the table of these values.

    Raises:
        SystemExit: without a place for the table.
    """
    if not BLOCK.search(readme):
        raise SystemExit(
            "helm/README.md: no `<!-- generated: values -->` with an `<!-- end -->`; put both where the table belongs"
        )
    return BLOCK.sub(lambda match: f"{match[1]}\n{table(values)}\n\n{match[2]}", readme)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the table of values in helm/README.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the table is stale")
    check = parser.parse_args(arguments).check
    readme = CHART / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = written(old, (CHART / "values.yaml").read_text(encoding="utf-8"))
    if check and new != old:
        print("helm/README.md: the table of values is stale; run `python tools/chart_docs.py`", file=sys.stderr)
        return 1
    if not check:
        readme.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
