"""``python -m cluster up|down|status|kubeconfig|build``: the test cluster from the command line."""

from __future__ import annotations

import argparse
import sys

from cluster.binaries import binary
from cluster.errors import ClusterError
from cluster.health import problems, running_components
from cluster.lifecycle import down, up
from cluster.settings import Settings


def status(settings: Settings) -> int:
    """Say what runs and what is wrong; 0 when the cluster is up and whole."""
    running = running_components(settings)
    for name, pid in running.items():
        print(f"{name:<24} pid {pid}")
    found = problems(settings)
    for problem in found:
        print(problem)
    if not found:
        print(f"up: KUBECONFIG={settings.kubeconfig}")
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    """Do one verb; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("verb", choices=["up", "down", "status", "kubeconfig", "build"])
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="of build: what to have in the cache")
    given = parser.parse_args(arguments)
    verb: str = given.verb
    if given.programs and verb != "build":
        parser.error(f"{verb} takes no programs")
    try:
        if verb == "build":
            for name in given.programs:
                print(binary(name))
            return 0
        settings = Settings.from_environment()
        if verb == "status":
            return status(settings)
        if verb == "kubeconfig":
            print(settings.kubeconfig)
        elif verb == "up":
            up(settings)
        else:
            down(settings)
    except ClusterError as error:
        print(f"cluster {verb}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
