"""Which endpoint answered which request: lines of the pods' access logs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from marline.errors import SourceError
from marline.rollout.outcomes.files import parsed
from marline.rollout.replay.endpoint import REPLAYED

# asked by probes and load balancers, who have no outcome; what a rollout replays has none either
PROBES = ("/ping",)


@dataclass
class Exposures:
    """Requests and who answered them.

    Attributes:
        endpoints: by request id; None where several endpoints answered one id.
        again: lines whose request and endpoint were known already.
        ignored: lines that are no exposure: other output of a pod, probes, replayed requests, requests without an id.
    """

    endpoints: dict[str, str | None] = field(default_factory=dict)
    again: int = 0
    ignored: int = 0

    @property
    def conflicting(self) -> int:
        """Request ids that more than one endpoint answered."""
        return sum(endpoint is None for endpoint in self.endpoints.values())

    def of(self, endpoint: str) -> int:
        """How many requests an endpoint answered."""
        return sum(each == endpoint for each in self.endpoints.values())

    def add(self, request_id: str, endpoint: str) -> None:
        """Note one."""
        known = self.endpoints.setdefault(request_id, endpoint)
        if known != endpoint:
            self.endpoints[request_id] = None

    @classmethod
    def read(cls, lines: Iterable[tuple[int, bytes]], where: str) -> Exposures:
        """Read lines of JSON with ``request_id`` and ``endpoint``, among others that are left out and counted.

        Args:
            lines: numbered.
            where: what they are from, for sentences.

        Raises:
            SourceError: for a line that begins as an object and is none, or that has an id and no endpoint.
        """
        found = cls()
        for number, line in lines:
            # the output of a pod has other lines, too; those of the access log are objects
            document = parsed(line, f"{where}:{number}") if line.lstrip().startswith(b"{") else None
            request_id = document.get("request_id") if document else None
            nobody = request_id == REPLAYED or (document or {}).get("path") in PROBES
            if document is None or not isinstance(request_id, str) or not request_id or nobody:
                found.ignored += 1
                continue
            endpoint = document.get("endpoint")
            if not isinstance(endpoint, str) or not endpoint:
                raise SourceError(
                    f"{where}:{number}: has `request_id` and no `endpoint`; give lines of the access log, "
                    'or objects like {"request_id": "7f3a", "endpoint": "stable"}'
                )
            before = len(found.endpoints)
            known = found.endpoints.get(request_id)
            found.add(request_id, endpoint)
            found.again += len(found.endpoints) == before and known == endpoint
        return found
