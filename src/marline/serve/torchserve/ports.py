"""Ports: free ones for what only this machine asks, and one sentence for an address that is taken."""

from __future__ import annotations

import errno
import socket

from marline.errors import ServeError

LOCAL = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Different free TCP ports on the loopback address, all held while they are chosen."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind((LOCAL, 0))
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()


def require_free(host: str, port: int) -> None:
    """Check that a server can listen on ``host:port``.

    Raises:
        ServeError: when the address is taken, not this machine's, or not allowed.
    """
    if ":" in host or "/" in host:
        raise ServeError(f"host {host!r} is not allowed: TorchServe listens on IPv4 only; use 127.0.0.1 or 0.0.0.0")
    if not 0 < port < 65536:
        raise ServeError(f"port {port} is not allowed (allowed: 0 to 65535, 0 is any free one); set --port")
    with socket.socket() as probe:
        # as the frontend does, or a port that a stopped server has just left would be refused
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ServeError(
                    f"port {port} on {host} is in use by another process; stop that one, or choose another with --port"
                ) from error
            raise ServeError(
                f"cannot listen on {host}:{port} ({error.strerror or error}); choose another with --host and --port"
            ) from error
