"""The HTTP side: paths, health, refusals."""

from __future__ import annotations

import email
import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from marline.serve.fastapi.archives import Answer, Asked
from marline.serve.fastapi.batching import Batcher, Busy

# TorchServe's own limit of a request, in bytes
MOST_BYTES = 6553500
JSON = "application/json"
Models = Mapping[tuple[str, str], Batcher[Asked, Answer]]


def service(models: Models, default: tuple[str, str], unready: Callable[[], str]) -> FastAPI:
    """The application.

    Args:
        models: by model and served version, the first version of a model is its default one; filled before
            ``unready`` first says nothing.
        default: what ``/predict`` asks.
        unready: why this server is not ready, as a phrase; empty when every process is.
    """
    app = FastAPI(title="marline", docs_url=None, redoc_url=None)

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        """Ask the default archive."""
        return await _ask(models, unready, *default, request)

    @app.post("/predictions/{model}")
    async def predictions(model: str, request: Request) -> Response:
        """Ask a model's default version."""
        return await _ask(models, unready, model, None, request)

    @app.post("/predictions/{model}/{version}")
    async def versioned(model: str, version: str, request: Request) -> Response:
        """Ask one version of a model."""
        return await _ask(models, unready, model, version, request)

    @app.get("/health")
    async def health() -> Response:
        """200 only when every process has answered the golden requests of every archive."""
        if why := unready():
            return refusal(503, f"Not ready: {why}.", {"retry-after": "1"})
        known = [{"model": model, "version": version} for model, version in models]
        return Response(json.dumps({"status": "ready", "models": known}), media_type=JSON)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        """No such path or method, as a document of the same shape as every refusal."""
        return refusal(error.status_code, f"{request.method} {request.url.path}: {error.detail}.", error.headers)

    return app


async def _ask(
    models: Models, unready: Callable[[], str], model: str, version: str | None, request: Request
) -> Response:
    if not models:
        return refusal(503, f"Not ready: {unready()}.", {"retry-after": "1"})
    names = [name for name in models if name[0] == model and version in (None, name[1])]
    if not names:
        known = ", ".join(f"{m}/{v}" for m, v in models)
        return refusal(404, f"{model}{f'/{version}' if version else ''} is not served here; served: {known}.")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return refusal(413, f"The body has more than {MOST_BYTES} bytes.", {"connection": "close"})
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    try:
        found = await models[names[0]].ask(Asked(row(bytes(body), request.headers), request.headers))
    except Busy as busy:
        return refusal(503, busy.reason, {"retry-after": str(busy.retry_after)})
    except Exception as error:  # noqa: BLE001  whatever a handler raised was logged; who asked is told
        return refusal(500, f"The model failed on this batch: {type(error).__name__}.")
    return Response(found.body, found.status, found.headers)


def row(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A body as TorchServe hands it to a handler: as it came, but for a multipart form, which is its fields."""
    kind = headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return {"body": body}
    message = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode("latin-1") + body)
    parts = message.get_payload() if message.is_multipart() else []
    return {
        str(part.get_param("name", "body", "content-disposition")): part.get_payload(decode=True)
        for part in parts
        if not isinstance(part, str)
    }


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal in the handlers' own form; who can help it is in ``x-marline-error``."""
    kind = "queue" if status == 503 else "request" if status < 500 else "model"
    document = json.dumps({"code": status, "error": sentence}, ensure_ascii=False, separators=(",", ":"))
    return Response(document.encode(), status, {**(headers or {}), "x-marline-error": kind}, JSON)
