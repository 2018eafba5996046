"""Where the processes of a pod meet."""

from __future__ import annotations

from pathlib import Path

from marline.agent.places import Places
from marline.agent.settings import RUN

LONGEST_SOCKET = 107


def test_every_place_is_its_own_and_below_the_shared_directory() -> None:
    places = Places(Path("/shared"))
    paths = [places.front, places.admin, places.retries, places.agent, places.server.root]
    assert len(set(paths)) == 5
    assert {path.parent for path in paths} == {Path("/shared")}


def test_a_socket_is_not_where_the_server_begins_anew() -> None:
    # `agent server` removes its directory at each start
    places = Places(Path("/shared"))
    assert not [p for p in (places.admin, places.retries, places.agent, places.front) if p.is_relative_to(places.server.root)]


def test_in_a_pod_the_paths_of_sockets_are_short_enough() -> None:
    places = Places(RUN)
    sockets = [places.admin, places.retries, places.agent, places.server.management]
    assert max(len(str(path).encode()) for path in sockets) <= LONGEST_SOCKET
