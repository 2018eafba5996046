"""A file at a URL, read from any offset on; what a server refuses is told apart from what may pass."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import obstore
from obstore.exceptions import BaseError, NotSupportedError
from obstore.store import AzureStore, GCSStore, HTTPStore, S3Store

from marline.errors import ServeError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

SCHEMES = ("http", "https", "s3", "gs", "az")
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL, where it is not Amazon's)",
    "gs": "GOOGLE_SERVICE_ACCOUNT_PATH",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
CONNECT_S = 10
# a connection that brings nothing for this long is given up
STALLED_S = 30
BLOCK = 1 << 16
# where a cloud's machines get credentials of their own: asked for when the environment has none
METADATA = ("/latest/api/token", "/latest/meta-data/", "/computeMetadata/", "/metadata/identity/")
# refusals that may pass: timeout, too early, too many requests
PASSING = (408, 425, 429)
# how object stores say that a request was signed for, or sent to, another region than the bucket's
ELSEWHERE = re.compile(r"redirect without LOCATION|<Code>(?:AuthorizationHeaderMalformed|PermanentRedirect)</Code>")


class Passing(Exception):
    """The read failed in a way that another attempt may cure; the text says how."""


class NotFromThere(Exception):
    """The source cannot be read from this offset on."""


class Remote:
    """One file at a URL.

    Args:
        url: http, https, s3, gs or az; credentials of the last three come from the environment.

    Attributes:
        shown: the URL without what may be secret (user, password, query).

    Raises:
        ServeError: for a URL that names no file, or has another scheme.
    """

    def __init__(self, url: str) -> None:
        self._parts = _split(url)
        self.shown = urlunsplit((self._parts.scheme, _host(self._parts), self._parts.path, "", ""))
        if self.bucket:
            self._require_key()

    @property
    def bucket(self) -> bool:
        """Whether it is an object in a bucket and not a plain web address."""
        return self._parts.scheme in CREDENTIALS

    def read(self, offset: int, seconds: float) -> tuple[int, Iterator[bytes]]:
        """Start reading.

        Args:
            offset: bytes to skip.
            seconds: longest time for the whole of it.

        Returns:
            The file's size in bytes, and its bytes from ``offset`` on; iterating raises what reading raises.

        Raises:
            Passing: another attempt may succeed.
            NotFromThere: ``offset`` is beyond the end, or the server knows no ranges.
            ServeError: it is not there, or must not be read.
        """
        try:
            store, path = self._store(seconds)
            options: obstore.GetOptions = {"range": {"offset": offset}} if offset else {}
            result = obstore.get(store, path, options=options)
        except (BaseError, OSError, ValueError) as error:
            raise self._meaning(error, offset) from error
        return result.meta["size"], self._blocks(result, offset)

    def _blocks(self, result: obstore.GetResult, offset: int) -> Iterator[bytes]:
        try:
            for block in result.stream(min_chunk_size=BLOCK):
                yield bytes(block)
        except (BaseError, OSError, ValueError) as error:
            raise self._meaning(error, offset) from error

    def _store(self, seconds: float) -> tuple[ObjectStore, str]:
        # the caller retries, because only it knows which bytes are there already
        retries: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=seconds)}
        client: ClientConfig = {
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "read_timeout": timedelta(seconds=STALLED_S),
            "timeout": timedelta(seconds=seconds),
        }
        parts = self._parts
        key = parts.path.removeprefix("/")
        match parts.scheme:
            case "s3":
                return S3Store(parts.netloc, client_options=client, retry_config=retries), key
            case "gs":
                return GCSStore(parts.netloc, client_options=client, retry_config=retries), key
            case "az":
                return AzureStore(parts.netloc, client_options=client, retry_config=retries), key
        if parts.username is not None:  # the library drops them
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            client["default_headers"] = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        # the whole address is the store's, so that a signed query stays as it was signed
        address = urlunsplit((parts.scheme, _host(parts), parts.path, parts.query, ""))
        return HTTPStore(address, client_options=client, retry_config=retries), ""

    def _require_key(self) -> None:
        parts = self._parts
        if "@" in parts.netloc:
            raise ServeError(
                f"{self.shown}: credentials are not read from the url; set {CREDENTIALS[parts.scheme]} instead"
            )
        if parts.query or parts.fragment or not parts.path.strip("/") or "//" in parts.path:
            raise ServeError(f"{self.shown}: names no object; write {parts.scheme}://BUCKET/PATH/NAME.mar")

    def _meaning(self, error: Exception, offset: int) -> Exception:
        """What an error of the library says about the file."""
        text = str(error)
        found = re.search(r"status code: (\d{3})", text)
        status = int(found[1]) if found else 0
        if self.bucket and any(path in text for path in METADATA):
            return Passing(f"no credentials; set {CREDENTIALS[self._parts.scheme]}")
        if offset and (status == 416 or isinstance(error, NotSupportedError)):
            return NotFromThere()
        if self.bucket and ELSEWHERE.search(text):
            return ServeError(f"{self.shown}: lies in another region; set AWS_REGION to the bucket's own")
        code = " ".join(str(part) for part in (status, _code(text)) if part)
        if status == 404:
            return ServeError(f"{self.shown}: is not there ({code}); put the archive there, or correct the url")
        if status in (401, 403):
            how = f"set {CREDENTIALS[self._parts.scheme]}" if self.bucket else "sign the url, or put them into it"
            return ServeError(f"{self.shown}: must not be read ({code}); give credentials that may: {how}")
        if 400 <= status < 500 and status not in PASSING:
            return ServeError(f"{self.shown}: is refused ({code}); correct the url")
        if "Content-Length" in text:
            return ServeError(
                f"{self.shown}: comes without Content-Length, so that a cut is not noticed; "
                "serve it as a file, uncompressed"
            )
        if found := re.search(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)|No CA certificates", text):
            return ServeError(
                f"{self.shown}: its certificate is not trusted ({found[1] or 'no authorities are known here'}); "
                "name the file of its authority in SSL_CERT_FILE"
            )
        if isinstance(error, ValueError):
            return ServeError(f"{self.shown}: is no url that can be read; correct it")
        return Passing(f"status {code}" if status else _innermost(text))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is no number
    except ValueError as error:
        raise ServeError(f"the url is not one ({error}); write SCHEME://HOST/PATH/NAME.mar") from error
    if parts.scheme not in SCHEMES:
        has = f"has the scheme {parts.scheme!r}" if parts.scheme else "has no scheme"
        raise ServeError(f"the url {has}; allowed: {', '.join(SCHEMES)}")
    if not _host(parts):
        raise ServeError("the url names no host; write SCHEME://HOST/PATH/NAME.mar")
    if not url.isprintable() or (" " in url and parts.scheme not in CREDENTIALS):
        raise ServeError("the url holds characters that no url has; write a space as %20")
    return parts


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _code(text: str) -> str:
    """The code that object stores send with an error, such as NoSuchBucket."""
    found = re.search(r"<Code>(\w+)</Code>", text)
    return found[1] if found else ""


def _innermost(text: str) -> str:
    """The library tells causes as nested structures; the last one named is where it began."""
    named = re.findall(r'\b(?:message|error|kind|source): "?([A-Za-z][^"{}()\n]*?)"?,?\n', text)
    reason = named[-1] if named else text.partition("\n")[0]
    return re.sub(r"\w+://\S+", "its url", reason)
