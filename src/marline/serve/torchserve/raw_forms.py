"""Bodies as they were sent, also those of a bare ``curl -d``.

curl labels ``-d`` data a URL-encoded form.  TorchServe's frontend decodes forms before any handler sees
them, with a decoder that drops a document without ``=`` altogether and turns ``+`` and ``%xx`` into
other characters: the question is lost.  The frontend chooses by comparing the content type with one
constant, so a copy of that one class that compares with a type nobody sends is put before the jar on
the class path; multipart forms are decoded as before.
"""

from __future__ import annotations

import struct

from marline.errors import ServeError

CLASS = "org/pytorch/serve/http/api/rest/InferenceRequestHandler.class"
# of the class in TorchServe 0.12.0's model-server.jar: another class is not touched
SHA256 = "915ac25d1f8a2360181528aa8eabd3c769ebd807d54798f0bce9bc934213eb93"
COMPARED = b"APPLICATION_X_WWW_FORM_URLENCODED"
INSTEAD = b"CHUNKED"  # a constant of the same type in the same class of netty; no content type is called so
_UTF8 = 1  # tag of a text in a class file's constant pool (JVM specification, 4.4.7)


def renamed(data: bytes) -> bytes:
    """The class with the constant's name replaced in its pool; lengths are stored before texts."""
    old, new = (struct.pack(">BH", _UTF8, len(text)) + text for text in (COMPARED, INSTEAD))
    if data.count(old) != 1:
        raise ServeError(
            f"{CLASS}: names {COMPARED.decode()} {data.count(old)} times instead of once; use TorchServe 0.12.0"
        )
    return data.replace(old, new)
