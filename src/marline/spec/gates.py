"""The gate's limits: defaults for every variant, stricter at will, looser only with a reason."""

from __future__ import annotations

from pydantic import Field, model_validator

from marline.spec.base import BrokenRules, Overrides, Strict


class Gates(Strict):
    """Limits of one variant; all of them are checked, each miss is reported by its name."""

    max_drop_points: float = Field(
        default=0.5,
        ge=0,
        le=100,
        description="Largest drop of the task metric against the reference, in percentage points.",
    )
    max_bound_points: float = Field(
        default=1.5,
        ge=0,
        le=100,
        description="Largest one-sided 95 % paired upper bound of that drop, in percentage points.",
    )
    min_agreement: float = Field(
        default=0.97, ge=0, le=1, description="Smallest share of items with the reference's top-1 answer."
    )
    max_abs: float = Field(
        default=2.0, gt=0, description="Largest absolute difference of any output from the reference's."
    )
    min_cosine: float = Field(
        default=0.97, ge=-1, le=1, description="Smallest cosine between all outputs and the reference's."
    )
    min_sqnr_db: float = Field(
        default=12.0, description="Smallest signal-to-quantization-noise ratio of the outputs over all items, in dB."
    )
    max_flip_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Largest share of items whose answer changes when batched with others, strangers or neighbours in length.",
    )
    max_batch_drift: float = Field(
        default=1.0,
        gt=0,
        description="Largest absolute difference of any output between solo and batched with others.",
    )
    max_p50_ratio_to_eager: float = Field(
        default=1.25,
        gt=0,
        description="Eligibility per CPU class: median latency at batch 1 divided by the reference's.",
    )
    max_rss_mb: float = Field(
        default=1500.0, gt=0, description="Eligibility per CPU class: resident memory of one worker process, in MB."
    )
    max_load_seconds: float = Field(
        default=60.0, gt=0, description="Eligibility per CPU class: time to load and answer once, in seconds."
    )
    reason: str | None = Field(
        default=None,
        min_length=10,
        description="Why a limit looser than the default is right; required then, printed in the report.",
    )


LIMITS = tuple(name for name in Gates.model_fields if name != "reason")

BUILT_IN: dict[str, dict[str, float]] = {
    # static ranges exist so that the batch has no say: not one answer may change
    "onnx-int8-static": {"max_flip_share": 0.0},
    # Post-training static int8 in torch loses more than ONNX Runtime's on encoders of this size; the
    # bound on the drop stays that of all variants.
    "torch-int8-static": {"max_flip_share": 0.0, "max_drop_points": 1.5, "min_sqnr_db": 8.0, "min_cosine": 0.9},
}


def default_gates(variant: str) -> Gates:
    """The limits of a variant whose spec says nothing."""
    return Gates.model_validate(BUILT_IN.get(variant, {}))


class GateOverrides(Overrides, Gates):
    """Limits as a spec writes them: only what differs from the variant's defaults."""

    def over(self, variant: str) -> Gates:
        """The variant's limits with these in place of the defaults."""
        return default_gates(variant).model_copy(update=self.written)

    def loosened(self, variant: str) -> list[str]:
        """Names of limits that are looser than the variant's defaults."""
        default, given = default_gates(variant).model_dump(), self.written
        return [
            name
            for name in LIMITS
            if name in given
            and (given[name] < default[name] if name.startswith("min_") else given[name] > default[name])
        ]

    @model_validator(mode="after")
    def _not_only_a_reason(self) -> GateOverrides:
        if set(self.written) == {"reason"}:
            raise BrokenRules([(("reason",), "a reason without a limit; name the limit it is for, or remove it")])
        return self
