"""Why a load failed, read from what the workers and the frontend wrote."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import zip_longest

from handlerkit.serving import LOAD_ERROR_MARK

# log4j2.xml writes: time, the thread, which names the worker, and the worker's line
_LINE = re.compile(r"^\S+ W-(?P<port>\d+)-(?P<who>.+)-std(?:out|err) - (?P<text>.*)$")
_DIED = "Backend worker process died."
_STARTED = "Torch worker started."
_TELLING = re.compile(r"Exception in|[\w.$]+(?:Exception|Error)\b|Caused by:|Invalid|Error")
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:: .*)?$")


def load_failure(log: str, who: str) -> str | None:
    """The reason for which a version does not load.

    Args:
        log: the workers' log; an unfinished last line is left for the next reading.
        who: the version as the frontend names its workers: ``<model>_<version>``.

    Returns:
        None while nothing failed; else the handler's own sentence, or the first exception of the chain
        (TorchServe hides an ImportError in a handler behind one of its own), or that it died unheard.
    """
    for lines in _by_worker(log, who).values():
        for line in lines:
            if LOAD_ERROR_MARK in line:
                return line.split(LOAD_ERROR_MARK, 1)[1]
        died = _DIED in lines
        starts = lines.count(_STARTED)
        fatal = next((line for line in lines if line.startswith("Fatal Python error: ")), None)
        if (exception := _first_exception(lines)) and (died or starts > 1):
            return exception
        if starts > 1:
            return fatal or "its worker was killed while it loaded; it may need more memory than there is"
    return None


def _by_worker(log: str, who: str) -> dict[str, list[str]]:
    out: dict[str, list[str]] = defaultdict(list)
    complete, _, _ = log.rpartition("\n")
    for line in complete.splitlines():
        match = _LINE.match(line)
        if match and match["who"] == who:
            out[match["port"]].append(match["text"])
    return out


def _first_exception(lines: list[str]) -> str | None:
    """The last line of the first traceback: where a chain began."""
    try:
        start = lines.index("Traceback (most recent call last):")
    except ValueError:
        return None
    return next((line for line in lines[start + 1 :] if not line.startswith(" ") and _EXCEPTION.match(line)), None)


def refusals(log: str) -> dict[str, str]:
    """Archives that the frontend did not register.

    Args:
        log: the frontend's log.

    Returns:
        Archive file name to the reason, the exception that follows ``Failed to load model``.
    """
    out = {}
    lines = log.splitlines()
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if match := re.search(r"Failed to load model: (\S+)", line):
            out[match[1].rsplit("/", 1)[-1]] = following.strip() or "no reason given"
    return out


def last_words(console: str) -> str:
    """The line that says why the frontend ended: its first exception, else its last line."""
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.match(line)]
    return (telling or lines[-1:] or ["it said nothing"])[0]
