"""Replay: the same requests to two endpoints, or to one whose answers are on record, compared as the gate compares.

- ``requests``: requests and recorded answers as JSON lines
- ``sources``: the golden requests of an archive, the gate's own items, a file of recorded requests
- ``endpoint``: one address, one request, one reply
- ``play``: every request to every endpoint, a bounded number at a time
- ``answers``: a reply's body to numbers and label
- ``judge``: replies to an outcome, through :func:`marline.build.gate.compare.compare`
- ``outcome``: what was found, and which limits it misses
- ``text``, ``metrics``: an outcome for people, and for Prometheus
- ``webhook``: a replay at each POST

Importing this loads no numpy and no torch; comparing loads numpy, and the gate's items need what building needs.
"""

from marline.rollout.replay.endpoint import Endpoint, Reply
from marline.rollout.replay.outcome import Difference, Limits, Outcome
from marline.rollout.replay.requests import Item, Questions

__all__ = ["Difference", "Endpoint", "Item", "Limits", "Outcome", "Questions", "Reply"]
