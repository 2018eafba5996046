"""What a rollout is to do: decided when it starts, and never changed after that."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from marline.rollout.analysis import Limits, Metric, Step
from marline.rollout.values import Values

PLAN_VERSION = 1
Weights = dict[str, int]


@dataclasses.dataclass(frozen=True)
class Arm:
    """One side of the comparison: an endpoint of the release, and the artifact it serves."""

    endpoint: str
    model: str
    version: str
    variant: str

    @classmethod
    def of(cls, endpoint: str, values: Values) -> Arm:
        """From the endpoint's values."""
        return cls(endpoint, str(values["model"]), str(values["version"]), str(values["variant"]))

    def __str__(self) -> str:
        return f"{self.endpoint} ({self.model} {self.version} {self.variant})"


@dataclasses.dataclass(frozen=True)
class Plan:
    """One rollout.

    Attributes:
        id: its name, of the time when it was started.
        release: the Helm release.
        namespace: of the release.
        by: who started it.
        created: Unix seconds.
        stable: whose traffic goes away.
        candidate: who gets it.
        steps: each part of the way, in percent of it.
        ready_s: time for the candidate's pods to be ready.
        interval_s: time between two looks.
        alpha: for the whole rollout.
        metrics: what is judged.
        limits: what differs from the judge's own.
        prometheus: base address of its API, None without.
        rate: pairs of requests per second that both are asked; 0 for none.
        requests: what they are asked, as JSON documents; the archives' golden requests when empty.
        base: number of the revision that was deployed.
        before: its values; what a roll-back leads to.
        goal: the values of the release file; what a promotion leads to.
    """

    id: str
    release: str
    namespace: str
    by: str
    created: float
    stable: Arm
    candidate: Arm
    steps: tuple[Step, ...]
    ready_s: float
    interval_s: float
    alpha: float
    metrics: tuple[Metric, ...]
    limits: dict[str, float]
    prometheus: str | None
    rate: float
    requests: tuple[Any, ...]
    base: int
    before: Values
    goal: Values

    @property
    def judged(self) -> Limits:
        """The judge's limits."""
        whole = {field.name for field in dataclasses.fields(Limits) if isinstance(field.default, int)}
        given: dict[str, Any] = {key: int(value) if key in whole else value for key, value in self.limits.items()}
        return Limits(**given)

    def weights(self, way: int) -> Weights:
        """All weights when so many percent of the way are gone; they add up to what they did before."""
        at_first, at_last = weights_of(self.before), weights_of(self.goal)
        mine, theirs = self.candidate.endpoint, self.stable.endpoint
        begin, end = at_first.get(mine, 0), at_last.get(mine, 0)
        gained = round((end - begin) * way / 100)
        return {**at_first, mine: begin + gained, theirs: at_first[theirs] - gained}

    def values(self, way: int, pods: int = 0) -> Values:
        """The release's values at a point of the way: those before, and the candidate beside them.

        Args:
            way: percent of the way.
            pods: fewest pods that the candidate's autoscaler is to keep meanwhile, where it has one.
        """
        values = copy.deepcopy(self.before)
        variants = values["variants"]
        mine = copy.deepcopy(self.goal["variants"][self.candidate.endpoint])
        # the release's image is everybody's; the candidate's own comes with it
        image = {**self.goal.get("image", {}), **mine.get("image", {})}
        if image != {**self.before.get("image", {}), **mine.get("image", {})}:
            mine["image"] = image
        scaling = mine.get("autoscaling")
        if scaling and scaling.get("enabled"):
            fewest = int(scaling.get("minReplicas", 1))
            scaling["minReplicas"] = max(fewest, min(pods, int(scaling.get("maxReplicas", fewest))))
        variants[self.candidate.endpoint] = mine
        values.setdefault("primary", self.stable.endpoint)
        for endpoint, weight in self.weights(way).items():
            variants[endpoint]["weight"] = weight
        return values

    def makes(self, values: Values) -> bool:
        """Whether these are values that this rollout brings into force at some time, whatever number of pods."""
        ways = {0, 100, *(step.weight for step in self.steps)}
        own = [self.before, self.goal, *(self.values(way) for way in sorted(ways))]
        return self._with_any_pods(values) in map(self._with_any_pods, own)

    def _with_any_pods(self, values: Values) -> Values:
        out = copy.deepcopy(values)
        mine = (out.get("variants") or {}).get(self.candidate.endpoint) or {}
        (mine.get("autoscaling") or {}).pop("minReplicas", None)
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"schema_version": PLAN_VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Plan:
        """The plan as it was."""
        found = {key: value for key, value in document.items() if key != "schema_version"}
        found["stable"], found["candidate"] = Arm(**found["stable"]), Arm(**found["candidate"])
        found["steps"] = tuple(Step(**step) for step in found["steps"])
        found["metrics"], found["requests"] = tuple(found["metrics"]), tuple(found["requests"])
        return cls(**found)


def weights_of(values: Values) -> Weights:
    """Percent by endpoint; a single one has all, as in the chart."""
    return {endpoint: int(own.get("weight", 100)) for endpoint, own in values["variants"].items()}
