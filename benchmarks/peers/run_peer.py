"""Run a peer until standard input ends: ``python run_peer.py NAME ARCHIVE PORT`` prints one line of JSON when it is ready.

The driver of `marline bench` starts this; whatever goes wrong is one sentence in place of the JSON, and exit code 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from environment import PeerError
from running import Running


def main(arguments: list[str]) -> int:
    """Start, say so, wait, end."""
    name, archive, port = arguments
    try:
        with Running(name, Path(archive), int(port)) as peer:
            assert peer.process is not None
            print(json.dumps({"pid": peer.process.pid}), flush=True)
            sys.stdin.read()
    except PeerError as error:
        print(" ".join(str(error).split()), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
