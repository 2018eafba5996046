"""One address that answers predictions; nothing is asked twice, and no redirect is followed."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marline.errors import ServeError

MAX_ANSWER_BYTES = 64 << 20
# the request id by which access logs tell what a rollout asks from what users ask
REPLAYED = "marline-replay"


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        status: of HTTP; None where nothing came.
        body: the answer's, or why there is none.
    """

    status: int | None
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected would be sent again as a GET without its body."""

    def redirect_request(self, *_: Any) -> None:
        """Let the redirect itself be the answer."""


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class Endpoint:
    """Where requests are sent.

    Attributes:
        address: the whole URL of a prediction.
        headers: sent along with every request.
        timeout_s: longest wait for any part of an answer.
    """

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 30.0

    def ask(self, request: Any) -> Reply:
        """Send one JSON document and wait for the reply, whatever its status."""
        sent = urllib.request.Request(
            self.address, json.dumps(request).encode(), {"content-type": "application/json", **self.headers}
        )
        try:
            with _OPENER.open(sent, timeout=self.timeout_s) as response:
                return _within(response.status, response.read(MAX_ANSWER_BYTES + 1))
        except urllib.error.HTTPError as error:
            with error:
                try:
                    return _within(error.code, error.read(MAX_ANSWER_BYTES + 1))
                except (OSError, http.client.HTTPException) as broken:
                    return Reply(None, _reason(broken))
        except (OSError, http.client.HTTPException) as error:
            return Reply(None, _reason(error))


def checked(url: str) -> urllib.parse.SplitResult:
    """The parts of an endpoint's URL.

    Raises:
        ServeError: for what is no such URL, or has credentials in it.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if fits and parts.username is not None:
        raise ServeError(
            f"{parts.scheme}://...@{parts.hostname}: credentials in an address would end in logs and metrics; "
            "send them with `--header 'Authorization: ...'`"
        )
    if not fits or any(c.isspace() for c in url):
        raise ServeError(f"{url!r} is no address of an endpoint; write one such as http://sentiment:8080")
    return parts


def label(url: str) -> str:
    """The URL as a metric shows it: without query, which may hold a token."""
    return checked(url)._replace(query="", fragment="").geturl()


def endpoint(url: str, model: str | None, headers: Mapping[str, str], timeout_s: float) -> Endpoint:
    """An endpoint from what a user writes.

    Args:
        url: of a Service or server (then ``/predictions/<model>`` is added), or of a prediction.
        model: the model to ask there; None where only whole URLs will do.
        headers: sent along with every request.
        timeout_s: longest wait for any part of an answer.

    Raises:
        ServeError: for what is no such URL.
    """
    parts = checked(url)
    if parts.path in ("", "/"):
        if model is None:
            raise ServeError(
                f"{url}: names no model, and neither do the requests; add `--model NAME`, or the path /predictions/NAME"
            )
        parts = parts._replace(path=f"/predictions/{model}")
    return Endpoint(parts._replace(fragment="").geturl(), headers, timeout_s)


def _within(status: int, body: bytes) -> Reply:
    if len(body) > MAX_ANSWER_BYTES:
        return Reply(None, f"an answer of more than {MAX_ANSWER_BYTES} bytes".encode())
    return Reply(status, body)


def _reason(error: Exception) -> bytes:
    reason = getattr(error, "reason", None) or error
    return (str(reason) or type(reason).__name__).encode()
