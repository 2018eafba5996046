"""How a release moves traffic to a new version: steps, limits, and where the evidence comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from marline.spec import release_rollout_rules as rules
from marline.spec.base import Strict
from marline.spec.release_image import Image
from marline.spec.release_names import Seconds
from marline.spec.release_rules import require

Metric = Literal["errors", "slow", "agreement", "shift", "cpu"]
LimitName = Literal[
    "error_share", "error_ratio", "slow_share", "disagree_share", "shift", "cpu_ratio", "cpu_idle_cores",
    "min_answers", "min_compared", "min_windows", "window_s", "stale_after_s",
]  # fmt: skip
# thirty days: an A/B test waits for outcomes, not for answers
Long = Annotated[int, Field(ge=1, le=2_592_000)]
Percentage = Annotated[int, Field(ge=0, le=100)]


class ReplayTraffic(Strict):
    """Requests that both versions are asked during a rollout, besides those of users."""

    rate: float = Field(default=10, gt=0, le=1000, description="Pairs of requests per second.")
    requests: str | None = Field(
        default=None,
        min_length=1,
        description="JSON lines as for `marline replay --requests`, beside this file; the archives' golden requests "
        "if absent.",
    )


class Rollout(Strict):
    """The way from the deployed weights to those of this file."""

    image: Image | None = Field(
        default=None, description="What `make image ARGS='--target rollout ...'` built; required without `--local`."
    )
    steps: list[Percentage] = Field(
        default=[10, 50, 100],
        min_length=1,
        max_length=20,
        description="How much of the way is gone after each step, in percent; the last is 100. `[0, 100]` is blue/green.",
    )
    pause_s: Long = Field(default=60, description="Shortest time of a step.")
    deadline_s: Long = Field(default=300, description="A step without enough evidence by then is rolled back.")
    ready_s: Seconds = Field(default=300, description="Time for the new version's pods to be ready.")
    interval_s: float = Field(default=2, ge=0.5, le=60, description="Time between two looks; scrape as often.")
    prometheus: str | None = Field(
        default=None, pattern=r"^https?://[^/\s@]+(/\S*)?$", description="Base address of the Prometheus API."
    )
    metrics: list[Metric] | None = Field(
        default=None,
        min_length=1,
        description="What is judged; of errors, slow (Prometheus) and agreement (replay) those that have a source if absent.",
    )
    alpha: float = Field(
        default=0.05, gt=0, lt=1, description="Probability that a whole rollout of a good version is rolled back."
    )
    limits: dict[LimitName, float] = Field(
        default_factory=dict, description="What the new version may do worse; docs/11 has the defaults."
    )
    replay: ReplayTraffic | None = Field(
        default=ReplayTraffic(),
        description="Requests to both versions besides those of users; null for none, and then the step 100 is not judged.",
    )

    @model_validator(mode="after")
    def _can_be_judged(self) -> Rollout:
        require(rules.rollout(self))
        return self

    @property
    def judged(self) -> list[Metric]:
        """The metrics, those by default included."""
        if self.metrics is not None:
            return self.metrics
        found: list[Metric] = ["errors", "slow"] if self.prometheus else []
        return [*found, "agreement"] if self.replay else found
