"""What became of requests: one value between 0 and 1 for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from marline.errors import SourceError
from marline.rollout.outcomes.files import parsed


def read(lines: Iterable[tuple[int, bytes]], where: str) -> Iterator[tuple[str, float]]:
    """Request ids and values, in the order in which they are written.

    Args:
        lines: numbered, of JSON with ``request_id`` and ``value``; other keys are left alone.
        where: what they are from, for sentences.

    Raises:
        SourceError: for the first finished line that is no such object.
    """
    for number, line in lines:
        document = parsed(line, f"{where}:{number}")
        if document is None and not line.endswith(b"\n"):
            return
        request_id = document.get("request_id") if isinstance(document, dict) else None
        if not isinstance(request_id, str) or not request_id:
            raise SourceError(
                f"{where}:{number}: must be an object with `request_id`, a text, and `value`, "
                'like {"request_id": "7f3a", "value": 1}'
            )
        value = document.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise SourceError(
                f"{where}:{number}: value {value!r} is not a number from 0 to 1; "
                "divide it by the greatest that it can be, and write 1 for yes and 0 for no"
            )
        yield request_id, float(value)
