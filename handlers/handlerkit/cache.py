"""Answers kept by question: the same question again gets the very bytes that were computed for it.

A question's key is what was understood of its body: white space between JSON tokens and the order of an
object's keys do not matter, and nothing else is changed, no case, no space inside a text, no number's
spelling that JSON keeps apart (1 is not 1.0).  A single item, a list of it and ``instances`` of it are
three questions, because their answers have three shapes.

One cache belongs to one loaded archive, so to one version and variant, and to one thread.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

KEY_BYTES = 32


class Cache:
    """The most recently used answers, bounded in number and in bytes.

    Args:
        items: most answers kept, >= 0; 0 keeps none.
        most_bytes: most bytes of keys and bodies together, >= 0; a body that would not fit alone is not kept.

    Attributes:
        hits: questions found.
        misses: questions not found.
        evictions: answers dropped for want of room.
        bytes: bytes of keys and bodies that are kept now.
    """

    def __init__(self, items: int, most_bytes: int) -> None:
        if items < 0 or most_bytes < 0:
            raise ValueError(f"a cache of {items} items and {most_bytes} bytes is not possible; give 0 or more of each")
        self._items = items
        self._most_bytes = most_bytes
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self.bytes = 0

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._kept)

    @staticmethod
    def key(items: Sequence[Any], form: str) -> bytes | None:
        """The digest of a question.

        Args:
            items: what :func:`handlerkit.requests.questions` made of the body.
            form: the shape of its answer: single, list or instances.

        Returns:
            32 bytes; None for items that JSON cannot spell (or not that deep), which are computed and not kept.
        """
        try:
            spelled = json.dumps([form, items], sort_keys=True, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError):
            return None
        return hashlib.sha256(spelled.encode("ascii")).digest()

    def get(self, key: bytes) -> bytes | None:
        """The body that was computed for this question, or None; counted as a hit or a miss."""
        body = self._kept.get(key)
        if body is None:
            self.misses += 1
            return None
        self._kept.move_to_end(key)
        self.hits += 1
        return body

    def put(self, key: bytes, body: bytes) -> None:
        """Keep the body of an answer with status 200, dropping the least recently used ones that it displaces.

        A refusal must never be put here: what is wrong may be right a moment later.
        """
        size = KEY_BYTES + len(body)
        if self._items == 0 or size > self._most_bytes:
            return
        if (known := self._kept.pop(key, None)) is not None:
            self.bytes -= KEY_BYTES + len(known)
        while self._kept and (len(self._kept) >= self._items or self.bytes + size > self._most_bytes):
            _, dropped = self._kept.popitem(last=False)
            self.bytes -= KEY_BYTES + len(dropped)
            self.evictions += 1
        self._kept[key] = body
        self.bytes += size
