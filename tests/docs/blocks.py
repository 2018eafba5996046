"""The fenced blocks of a document, and what the comment before each says it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = ("bash", "python", "yaml", "json")
READ_ONLY = ("console", "text")
WORDS = {
    "bash": {"server", "serves", "make", "cluster", "slow", "needs"},
    "python": {"slow", "needs"},
    "yaml": set(),
    "json": {"answer", "refusal"},
    "console": set(),
    "text": set(),
}
NEEDS = ("store", "scorer")
_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})(?P<language>.*)$")
_TAG = re.compile(r"^<!-- test: (?P<words>[^>]*?) -->$")


@dataclass(frozen=True)
class Block:
    """One fenced block; ``line`` is that of its opening fence, ``tags`` maps a word to its value or "" """

    path: Path
    line: int
    language: str
    text: str
    tags: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{self.line}"


class BadBlock(Exception):
    """A block that no test would look at."""


def documents() -> list[Path]:
    """What is tested, in reading order."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "DESIGN.md", ROOT / "CONTRIBUTING.md"]


def blocks(path: Path, text: str | None = None) -> list[Block]:
    """Every fenced block of a document.

    Raises:
        BadBlock: for an unknown language or tag, an unclosed fence, or a tag that stands before no block.
    """
    lines = (path.read_text(encoding="utf-8") if text is None else text).splitlines()
    found: list[Block] = []
    tags: dict[str, str] | None = None
    start, language, fence = 0, "", ""
    for number, line in enumerate(lines, 1):
        if fence:
            if line.strip() == fence:
                found.append(_checked(path, start, language, "\n".join(lines[start : number - 1]) + "\n", tags or {}))
                tags, fence = None, ""
        elif match := _FENCE.match(line):
            start, language, fence = number, match["language"].strip(), match["fence"]
        elif match := _TAG.match(line):
            tags = {word: value for word, _, value in (part.partition("=") for part in match["words"].split())}
        elif "<!-- test" in line and not line.startswith("|"):
            raise BadBlock(f"{path.name}:{number}: a malformed tag: {line}")
        elif tags is not None:
            raise BadBlock(f"{path.name}:{number}: the tag above stands before no block")
    if fence:
        raise BadBlock(f"{path.name}:{start}: the block has no end")
    return found


def _checked(path: Path, line: int, language: str, text: str, tags: dict[str, str]) -> Block:
    where = f"{path.name}:{line}"
    if language not in WORDS:
        raise BadBlock(f"{where}: language {language!r}; allowed: {', '.join(WORDS)}")
    for word, value in tags.items():
        if word not in WORDS[language]:
            raise BadBlock(f"{where}: tag {word!r} on a {language} block; allowed: {', '.join(sorted(WORDS[language])) or 'none'}")
        if (word == "needs") != bool(value) or (value and value not in NEEDS):
            raise BadBlock(f"{where}: tag {word}={value}; allowed: a word alone, or needs= one of {', '.join(NEEDS)}")
    return Block(path, line, language, text, tags)
