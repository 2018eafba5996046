"""One question to Prometheus over HTTP: its answer, or in a phrase why there is none."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from marline.errors import ServeError
from marline.rollout.replay.endpoint import MAX_ANSWER_BYTES

MOST_WORDS = 200
BLOCK = 1 << 16


class Unanswered(Exception):
    """Why Prometheus could not be asked, or did not answer: a phrase."""


def checked(address: str) -> urllib.parse.SplitResult:
    """The parts of Prometheus' address; a path stands before ``/api/v1``.

    Raises:
        ServeError: for what is no such URL, or has credentials in it.
    """
    example = "write one such as http://prometheus.monitoring:9090"
    try:
        parts = urllib.parse.urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError:
        fits = False
    if fits and parts.username is not None:
        raise ServeError(
            f"{parts.scheme}://...@{parts.hostname}: credentials in the address of Prometheus would end in records and "
            f"logs; {example}, which can be asked without them"
        )
    if not fits or parts.query or parts.fragment or not all("!" <= c <= "~" for c in address):
        raise ServeError(f"{address!r} is no address of Prometheus; {example}")
    return parts


def ask(address: str, parameters: Mapping[str, str], timeout_s: float) -> dict[str, Any]:
    """Put one instant query.

    Sent as a form, since the names of many pods are longer than a URL may be; neither proxies nor redirects are
    followed.

    Args:
        address: of Prometheus.
        parameters: of ``/api/v1/query``.
        timeout_s: longest wait for the connection and for the answer, each; the resolver of names has its own limits.

    Returns:
        Prometheus' document, whose ``status`` is ``success``.

    Raises:
        Unanswered: for whatever else happens.
        ServeError: for a wrong address.
    """
    parts = checked(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        form = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        body = urllib.parse.urlencode(parameters)
        connection.request("POST", f"{parts.path.rstrip('/')}/api/v1/query", body, form)
        response = connection.getresponse()
        return _document(response.status, _read(response, timeout_s))
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"cannot be asked: {_short(str(error)) or type(error).__name__}") from error
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, timeout_s: float) -> bytes:
    """The body, also of who sends a byte a second for ever."""
    end = time.monotonic() + timeout_s
    held = bytearray()
    while block := response.read1(BLOCK):
        held += block
        if len(held) > MAX_ANSWER_BYTES:
            raise Unanswered(f"answers more than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > end:
            raise TimeoutError(f"no whole answer in {timeout_s:g} s")
    # where the connection ends early, read1 says nothing
    if response.length:
        raise http.client.IncompleteRead(bytes(held), response.length)
    return bytes(held)


def _document(status: int, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or "status" not in document:
        raise Unanswered(f"answers {status}, and not as Prometheus does: {_short(body.decode(errors='replace'))!r}")
    if status != 200 or document["status"] != "success":
        raise Unanswered(f"answers {status}: {_short(str(document.get('error')))}")
    return document


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MOST_WORDS else words[:MOST_WORDS] + "..."
