"""Generated blocks about the pod: what its image is made of, and what its front costs; both from stored runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docs_tables import table

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"


def image_sizes() -> str:
    """Megabytes of each stored image, by part."""
    images = [_stored(f"image-{target}") for target in ("slim", "full")]
    found = [image for image in images if image is not None]
    if not found:
        return "No run is stored yet: `python tools/image_sizes.py NAME` stores one."
    names = list(dict.fromkeys(name for image in found for name in image["parts"]))
    sizes = {name: [image["parts"].get(name, 0) for image in found] for name in names}
    archives = sizes.pop("archives", [0] * len(found))
    rows = [(name, *map(_megabytes, row)) for name, row in sizes.items()]
    rows.append(("**without archives**", *(f"**{_megabytes(sum(column))}**" for column in zip(*sizes.values(), strict=True))))
    rows.append(("archives in this one", *map(_megabytes, archives)))
    head = ("MB", *(f"`{image['target']}`" for image in found))
    return f"{table(head, rows)}\n\nFiles as they are unpacked, {_commands(found)}."


def front_cost() -> str:
    """Latency and CPU time with and without the front."""
    run = _stored("front")
    if run is None:
        return "No run is stored yet: `python tools/front_cost.py sentiment` stores one."
    through, direct = run["ways"]["front"], run["ways"]["direct"]
    rows = [_way("through the front", through), _way("directly", direct)]
    head = ("one client", "p50 ms", "p99 ms", "CPU s per 1,000 requests, front", "the same, server")
    versions = ", ".join(f"{package} {version}" for package, version in sorted(run["versions"].items()))
    own = through["cpu_s_per_1000"]["front"] - direct["cpu_s_per_1000"]["front"]
    share = own / direct["cpu_s_per_1000"]["server"]
    archive = " ".join(run["archive"].values())
    return (
        f"The front adds {run['added_p50_ms']:.1f} ms to a request for {archive}, and {own:.2f} s of CPU to 1,000 requests, "
        f"{share:.0%} of what the server needs for them.\n\n"
        f"{table(head, rows)}\n\n"
        f"CPU class **{run['machine']['cpu_class']}** ({run['machine']['cpu']}, {run['machine']['cpus']} CPUs, load average "
        f"{' to '.join(f'{load:g}' for load in run['machine']['load'])}), `{run['command']}`: {through['requests']} requests "
        f"each way in {run['rounds']} rounds, the added time as the median over pairs; {versions}."
    )


def _way(name: str, way: dict[str, Any]) -> tuple[str, ...]:
    cpu = way["cpu_s_per_1000"]
    return name, f"{way['p50_ms']:.2f}", f"{way['p99_ms']:.1f}", f"{cpu['front']:.2f}", f"{cpu['server']:.2f}"


def _commands(images: Iterable[dict[str, Any]]) -> str:
    return " and ".join(f"`{image['command']}`" for image in images)


def _stored(name: str) -> dict[str, Any] | None:
    path = FIGURES / f"{name}.json"
    found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"
