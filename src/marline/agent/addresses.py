"""Addresses to listen on: a pod may have IPv4, IPv6 or both, and the kubelet asks the first of them."""

from __future__ import annotations

import errno
import socket

# what a kernel says that was booted without IPv6, or has it switched off
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENOPROTOOPT)


def has_ipv6() -> bool:
    """Whether a socket for all addresses, of both kinds, can be made here.

    Raises:
        OSError: for a reason that says nothing about IPv6.
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            tried.bind(("::", 0))
    except OSError as error:
        if error.errno in _NO_IPV6:
            return False
        raise
    return True


def everywhere(port: int) -> socket.socket:
    """A socket bound to all addresses of this machine; whoever takes it makes it listen.

    Args:
        port: 0 for one that the kernel chooses.

    Raises:
        OSError: when it is taken.
    """
    both = has_ipv6()
    made = socket.socket(socket.AF_INET6 if both else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if both:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(("::" if both else "0.0.0.0", port))
    except BaseException:  # whatever it was, nobody else closes the socket
        made.close()
        raise
    return made
