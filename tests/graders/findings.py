"""What a grader says about rendered manifests, and what was decided about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

EXCEPTIONS = Path(__file__).parent / "exceptions.yaml"
MOST_EXCEPTIONS = 8


@dataclass(frozen=True, order=True)
class Finding:
    """One objection.

    Attributes:
        grader: who objects.
        check: its name for what it looked at.
        scenario: name of the rendered file.
        subject: the object, ``Kind/name``.
        text: what the grader says.
    """

    grader: str
    check: str
    scenario: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.scenario}: {self.grader} {self.check} on {self.subject}: {self.text}"


@dataclass
class Graded:
    """All that a grader found, and the objects that it looked at, as (scenario, ``Kind/name``)."""

    findings: list[Finding] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Allowed:
    """An objection that the chart does not follow.

    Attributes:
        grader: whose.
        check: the grader's name for it.
        objects: patterns of ``Kind/name``; on other objects the objection stands.
        why: the argument.
    """

    grader: str
    check: str
    objects: tuple[str, ...]
    why: str

    def covers(self, finding: Finding) -> bool:
        """Whether this is the finding that was decided about."""
        return (self.grader, self.check) == (finding.grader, finding.check) and any(
            fnmatchcase(finding.subject, pattern) for pattern in self.objects
        )


def allowed(path: Path = EXCEPTIONS) -> list[Allowed]:
    """Every exception of the file."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Allowed(**(entry | {"objects": tuple(entry["objects"])})) for entry in entries]


def unexplained(findings: Iterable[Finding], exceptions: Iterable[Allowed]) -> list[Finding]:
    """The findings that no exception covers."""
    known = list(exceptions)
    return sorted({finding for finding in findings if not any(one.covers(finding) for one in known)})


def stale(findings: Iterable[Finding], exceptions: Iterable[Allowed]) -> list[str]:
    """The exceptions, and the patterns of them, that cover nothing that was found."""
    found = list(findings)
    return [
        f"{one.grader} {one.check} on {pattern}"
        for one in exceptions
        for pattern in one.objects
        if not any(Allowed(one.grader, one.check, (pattern,), one.why).covers(finding) for finding in found)
    ]
