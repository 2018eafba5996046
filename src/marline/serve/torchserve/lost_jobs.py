"""Requests whose worker died while their batch was being filled get an error, not silence.

The frontend's thread of a worker takes a first request from the queue and waits for more.  When the
worker dies in that time the thread is interrupted before the batch has a name, and its last act,
``if (req != null) aggregator.sendError(req, "Worker died.", ...)``, skips the requests taken: no answer is
ever sent.  ``sendError`` of null is made for exactly this (it tells every request that was taken), so the
condition is what is wrong; it is replaced by instructions that do nothing, in each of the seven copies
that the compiler made of the block.
"""

from __future__ import annotations

import re

from marline.errors import ServeError

CLASS = "org/pytorch/serve/wlm/WorkerThread.class"
# of the class in TorchServe 0.12.0's model-server.jar: another class is not touched
SHA256 = "5292f5b79ac1ec509876cd997e2605848fd79f0b15b24ebd1a96c9c6b035ffd6"
COPIES = 7
# aload_0, getfield req (#32), ifnull ->, aload_0, getfield aggregator (#62)
_CONDITION = re.compile(rb"(\x2a\xb4\x00\x20)\xc6..(\x2a\xb4\x00\x3e)", re.DOTALL)
_POP_NOP_NOP = b"\x57\x00\x00"


def told(data: bytes) -> bytes:
    """The class without the condition; no length and no address changes."""
    changed, count = _CONDITION.subn(rb"\1" + _POP_NOP_NOP + rb"\2", data)
    if count != COPIES:
        raise ServeError(f"{CLASS}: has the condition {count} times instead of {COPIES}; use TorchServe 0.12.0")
    return changed
