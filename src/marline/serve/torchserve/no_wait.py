"""Batches of what is waiting, and nobody waits for a batch.

TorchServe's frontend takes a first request from the queue and then waits up to ``maxBatchDelay`` for each
further one, so that a lone request always pays the whole delay, and it cannot express a delay of 0.
While a worker computes, others arrive anyway: a batch made of just what is there when the worker is free
is full under load and immediate without.  The wait in that loop is replaced by one of 0 ms.
"""

from __future__ import annotations

from marline.errors import ServeError

CLASS = "org/pytorch/serve/wlm/Model.class"
# of the class in TorchServe 0.12.0's model-server.jar: another class is not touched
SHA256 = "7c5523f1fe77fe79aa32665469e17725e70518692abcf4987989ef72f10d4cff"
# aload 5, lload 6, getstatic TimeUnit.MILLISECONDS (#498), invokevirtual LinkedBlockingDeque.poll (#504)
_WAITS = b"\x19\x05\x16\x06\xb2\x01\xf2\xb6\x01\xf8"
# lconst_0 and nop in place of lload 6
_LOOKS = b"\x19\x05\x09\x00\xb2\x01\xf2\xb6\x01\xf8"


def impatient(data: bytes) -> bytes:
    """The class with the wait of 0; no length and no address changes."""
    if (count := data.count(_WAITS)) != 1:
        raise ServeError(f"{CLASS}: waits for a batch {count} times instead of once; use TorchServe 0.12.0")
    return data.replace(_WAITS, _LOOKS)
