"""The two ways things go wrong inside a worker: a bad request, or an archive that must not serve."""

from __future__ import annotations


class RequestError(Exception):
    """One request that cannot be answered; its neighbours in the batch are not affected.

    Args:
        status: HTTP status to answer with (4xx: the client's fault, 5xx: ours).
        message: one sentence that says what was wrong and what is allowed.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class LoadError(RuntimeError):
    """The archive must not serve here: unreadable, incompatible, or wrong on its golden requests.

    A RuntimeError, because that is the one kind TorchServe 0.12 turns into an answer to its load
    message (``ts/model_service_worker.py``); others only kill the worker.
    """
