"""Whether anybody still waits for an answer.

A client, or the front before the server, says until when: ``x-request-deadline`` is the Unix time in milliseconds at
which the answer is no longer wanted.  What has expired in the queue is answered, and not computed.
"""

from __future__ import annotations

import time

from handlerkit.errors import RequestError

HEADER = "x-request-deadline"
# the client's own limit: no error of the version that is judged by its 5xx
EXPIRED = 408


def expired(header: object) -> RequestError | None:
    """The refusal of a request whose deadline has passed; None for one in time, or without a deadline.

    Args:
        header: value of :data:`HEADER`, None where it was not sent.
    """
    # TorchServe keeps a form's field of that name among the headers, as a dict
    if not isinstance(header, str):
        return None
    try:
        late = time.time() * 1000 - float(header)
    except ValueError:
        return RequestError(400, f"{HEADER} is no Unix time in milliseconds; correct it, or leave it out.")
    if late > 0:
        return RequestError(EXPIRED, f"The deadline passed {late:.0f} ms before this request was computed; nobody waits for it.")
    return None
