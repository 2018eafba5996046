"""Versions of the model that are worse than it, each in one way, and that say of themselves that they are right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from handlerkit.manifest import Golden, Manifest
from pods.archives import Archive, Change, changed, version, with_manifest

HANDLER = "text_classification.py"
LAST = "    def present("


def compute(body: str) -> Change:
    """Another ``compute`` of the handler; ``body`` has ``prepared`` and ends with an answer."""

    def change(entries: dict[str, bytes]) -> None:
        lines = [
            "    count = 0",
            "",
            "    def compute(self, prepared):",
            *(f"        {line}" for line in body.split("\n")),
        ]
        code = entries[HANDLER].decode()
        assert code.count(LAST) == 1
        entries[HANDLER] = code.replace(LAST, "\n".join([*lines, "", LAST])).encode()

    return change


def slow(seconds: float) -> Change:
    """So many seconds more for each request."""
    return compute(f"import time\ntime.sleep({seconds!r} * len(prepared))\nreturn super().compute(prepared)")


# every twentieth request: not the golden ones, which are asked before a step
FAILING = compute(
    "from handlerkit.errors import RequestError\n"
    "out = super().compute(prepared)\n"
    "for index in range(len(out)):\n"
    "    self.count += 1\n"
    "    if self.count > 40 and self.count % 20 == 0:\n"
    "        out[index] = RequestError(500, 'The twentieth request.')\n"
    "return out"
)
# the whole server, again and again
CRASHING = compute(
    "import os, signal\n"
    "self.count += len(prepared)\n"
    "if self.count > 60:\n"
    "    os.kill(os.getppid(), signal.SIGKILL)\n"
    "return super().compute(prepared)"
)
# the head says the opposite for one class
_FLIPPING = compute(
    "out = super().compute(prepared)\n"
    "return [{**o, 'logits': o['logits'][::-1].copy()} if o['logits'].argmax() == 0 else o for o in out]"
)


def _flipped(manifest: Manifest) -> Manifest:
    """Its golden answers are those of its own head: no build saw the other ones."""

    def flip(golden: Golden) -> Golden:
        if golden.label != manifest.labels[0]:
            return golden
        return Golden(golden.request, manifest.labels[1], {"logits": list(reversed(golden.outputs["logits"]))})

    return dataclasses.replace(manifest, golden=tuple(flip(golden) for golden in manifest.golden))


def flipping(entries: dict[str, bytes]) -> None:
    """A head that says the opposite for one class, and golden answers to match."""
    with_manifest(_flipped)(entries)
    _FLIPPING(entries)


def faulty(source: Path, target: Path, number: str, fault: Change) -> Archive:
    """A copy of an archive as another version, with a fault."""

    def change(entries: dict[str, bytes]) -> None:
        version(number)(entries)
        fault(entries)

    return changed(source, target, change)
