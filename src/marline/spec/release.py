"""ReleaseSpec: what an environment runs, and what a person decides about it; everything else is derived."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from marline.spec import release_rules as rules
from marline.spec.base import Strict
from marline.spec.named import resolve
from marline.spec.names import NAME_PATTERN, SEMVER_PATTERN
from marline.spec.release_image import Image, ImageName
from marline.spec.release_names import Namespace, ObjectName, Seconds
from marline.spec.release_rollout import Rollout
from marline.spec.release_routes import Ingress, Routes

RELEASES_DIR = Path("config/releases")
LOCK_SUFFIX = ".lock.json"

Cpus = Annotated[float, Field(gt=0, le=256)]
Mebibytes = Annotated[int, Field(ge=1, le=1048576)]
Percent = Annotated[int, Field(ge=1, le=1000)]
ArchivePath = Annotated[
    str, Field(pattern=r"^/archives/([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.mar$")
]
CpuFeature = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_.]{0,30}$")]
ChartKey = Literal[
    "nameOverride", "fullnameOverride", "imagePullSecrets", "service", "serviceAccount", "networkPolicy", "tests"
]
PodKey = Literal[
    "storage", "nodeSelector", "topologySpread", "tolerations", "priorityClassName", "podAnnotations", "podLabels",
    "disruptionBudget",
]  # fmt: skip


class InImage(Strict):
    """The archive is inside the image."""

    kind: Literal["image"]
    path: ArchivePath | None = Field(default=None, description="`/archives/<model>-<version>-<variant>.mar` if absent.")


class OnClaim(Strict):
    """The archive is on a PersistentVolumeClaim, mounted read-only at /archives."""

    kind: Literal["pvc"]
    claim: ObjectName = Field(description="The claim's name.")
    path: ArchivePath | None = Field(default=None, description="`/archives/<model>-<version>-<variant>.mar` if absent.")


class OnHost(Strict):
    """The archive is in a directory of the node; the Pod Security levels baseline and restricted refuse it."""

    kind: Literal["hostPath"]
    directory: str = Field(pattern=r"^/", description="Directory of the node, mounted read-only at /archives.")
    path: ArchivePath | None = Field(default=None, description="`/archives/<model>-<version>-<variant>.mar` if absent.")


class AtUrl(Strict):
    """The archive is fetched before the pod starts."""

    kind: Literal["url"]
    url: str = Field(
        pattern=r"^(https?|s3)://[^/\s]+/\S*$",
        description="`https://`, `http://` or `s3://`; after a final `/` the archive's file name is added.",
    )
    env_from: list[dict[str, JsonValue]] = Field(
        default_factory=list, description="Secrets and ConfigMaps with credentials, as in a container's `envFrom`."
    )


Archive = Annotated[InImage | OnClaim | OnHost | AtUrl, Field(discriminator="kind")]


class Server(Strict):
    """TorchServe's settings; one that is absent comes from the model's `serving`, or is derived."""

    workers: int | None = Field(
        default=None, ge=1, le=64, description="Worker processes; whole CPUs / threads if absent, in the spec's bounds."
    )
    threads: int | None = Field(default=None, ge=1, le=64, description="Compute threads of one worker; 1 if absent.")
    batch_size: int | None = Field(
        default=None, ge=1, le=256, description="1 if absent for a variant whose answers depend on the batch."
    )
    cache_items: int | None = Field(default=None, ge=0, le=1000000, description="Answers kept per worker; 0: none.")
    max_batch_delay_ms: int | None = Field(default=None, ge=0, le=1000, description="Longest wait for a batch to fill.")
    queue_size: int | None = Field(default=None, ge=1, le=100000, description="Requests waiting; one more gets 503.")
    response_timeout_s: Seconds | None = Field(default=None, description="A worker that takes longer is replaced.")
    startup_timeout_s: Seconds | None = Field(default=None, description="Time to load and answer golden requests.")
    heap_mb: int | None = Field(default=None, ge=64, le=16384, description="JVM heap; from queue and body if absent.")
    worker_memory_mb: Mebibytes | None = Field(
        default=None, description="Memory of one worker; from the archive's size and the measured memory if absent."
    )


class Container(Strict):
    """What one container may use and what is set aside for it; a request that is absent is the limit."""

    cpu: Cpus | None = Field(default=None, description="CPUs at most; workers x threads if absent (server).")
    cpu_request: Cpus | None = Field(default=None, description="CPUs set aside.")
    memory_mb: Mebibytes | None = Field(
        default=None, description="MiB at most; heap + workers x their memory + 256 if absent (server)."
    )
    memory_request_mb: Mebibytes | None = Field(default=None, description="MiB set aside.")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Container:
        rules.require(rules.container(self))
        return self


class Resources(Strict):
    """Requests and limits of the pod's containers."""

    server: Container = Field(default=Container(), description="TorchServe and its workers.")
    agent: Container = Field(default=Container(), description="The agent; the chart's defaults if absent.")
    front: Container = Field(default=Container(), description="The front; the chart's defaults if absent.")


class Queue(Strict):
    """Waiting requests as the signal, read from Prometheus by KEDA."""

    prometheus: str = Field(pattern=r"^https?://\S+$", description="Base address of the Prometheus API.")
    target: float | None = Field(default=None, gt=0, description="Waiting requests per pod; derived if absent.")
    query: str | None = Field(default=None, min_length=1, description="PromQL instead of the pending requests.")
    polling_s: Seconds | None = Field(default=None, description="Seconds between two queries.")
    authentication: ObjectName | None = Field(default=None, description="TriggerAuthentication for Prometheus.")


class Autoscaling(Strict):
    """The number of pods follows the load: by CPU, or by waiting requests."""

    min_replicas: int = Field(default=1, ge=1, le=1000, description="Fewest pods.")
    max_replicas: int = Field(ge=1, le=1000, description="Most pods.")
    wait_ms: float = Field(
        default=50, gt=0, le=60000, description="Time a request may wait on average; targets follow from it."
    )
    cpu_percent: Percent | None = Field(default=None, description="Percent of the CPU request; derived if absent.")
    memory_percent: Percent | None = Field(default=None, description="Besides the CPU, percent of the memory request.")
    queue: Queue | None = Field(default=None, description="Instead of CPU and memory.")

    @model_validator(mode="after")
    def _one_signal_in_order(self) -> Autoscaling:
        rules.require(rules.autoscaling(self))
        return self


class ReleaseVariant(Strict):
    """One endpoint: which artifact, how many pods, and what differs from the model's spec."""

    model: str = Field(pattern=NAME_PATTERN, description="Name of the model.")
    version: str = Field(pattern=SEMVER_PATTERN, description="Published version.")
    variant: str = Field(pattern=NAME_PATTERN, description="Published variant.")
    cpu_class: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9_.-]*$",
        description="Whose measurements count, where there are several.",
    )
    weight: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Percent of the requests; all add up to 100, a single one may leave it out.",
    )
    image: Image | None = Field(default=None, description="Another image than the release's.")
    archive: Archive = Field(default=InImage(kind="image"), description="Where the pods get the archive.")
    replicas: int | None = Field(
        default=None, ge=0, le=1000, description="Pods; 1 if absent, refused with autoscaling."
    )
    autoscaling: Autoscaling | None = Field(default=None, description="Instead of replicas.")
    server: Server = Field(default=Server(), description="What differs from the model's `serving`.")
    resources: Resources = Field(default=Resources(), description="Requests and limits.")
    grace_s: int | None = Field(
        default=None, ge=1, le=7200, description="Time to stop; drain + response timeout + 15 if absent."
    )
    cpu_features: list[CpuFeature] | None = Field(
        default=None,
        description="CPU flags that a node must have besides those that the variant needs to be right; "
        "those of the measured CPU class if absent.",
    )
    pod: dict[PodKey, JsonValue] = Field(
        default_factory=dict, description="Keys of the chart's `variants.NAME`, passed on as they are."
    )

    @model_validator(mode="after")
    def _replicas_or_autoscaling(self) -> ReleaseVariant:
        rules.require(rules.replicas(self))
        return self


class Front(Strict):
    """What the front in each pod lets through."""

    enabled: bool = Field(default=True, description="Without it TorchServe itself faces the network.")
    image: ImageName | None = Field(default=None, description="Another image with Envoy.")
    max_body_bytes: int = Field(default=6_553_500, ge=1, le=6_553_500, description="Largest request body.")
    max_connections: int = Field(default=1000, ge=1, le=100000, description="Connections open at one time.")
    headers_timeout_s: Seconds = Field(default=10, description="Time to send all headers.")
    request_timeout_s: Seconds = Field(default=30, description="Time to send the whole request.")
    idle_timeout_s: Seconds = Field(default=120, description="An unused connection is closed after this.")
    max_connection_s: Seconds = Field(
        default=15, description="A connection of this age is asked to close, so that new pods get their share."
    )

    @model_validator(mode="after")
    def _headers_within_request(self) -> Front:
        rules.require(rules.front(self))
        return self


class Drain(Strict):
    """How a pod stops."""

    seconds: int = Field(default=5, ge=1, le=300, description="A pod told to stop still answers for this long.")


class ReleaseSpec(Strict):
    """One environment: endpoints, their artifacts, weights and pods.

    Rules between endpoints are in :func:`marline.spec.release_rules.between_endpoints`, which also
    speaks of a file that has other problems.
    """

    release: str = Field(
        pattern=r"^[a-z]([a-z0-9-]{0,51}[a-z0-9])?$", examples=["sentiment"], description="Name of the Helm release."
    )
    namespace: Namespace = Field(examples=["models"], description="Namespace of all objects.")
    image: Image = Field(
        examples=[{"repository": "registry.example.com/marline/sentiment", "tag": "1.0.0"}],
        description="The image that `make image` built and you pushed.",
    )
    primary: str | None = Field(
        default=None, description="The endpoint that the Service without one selects; required with several."
    )
    variants: dict[str, ReleaseVariant] = Field(
        min_length=1,
        json_schema_extra={"propertyNames": {"type": "string", "pattern": rules.ENDPOINT_PATTERN}},
        examples=[{"onnx-fp32": {"model": "sentiment", "version": "1.0.0", "variant": "onnx-fp32"}}],
        description="Endpoints by name; each becomes a Deployment and a Service.",
    )
    front: Front = Field(default=Front(), description="The front in each pod.")
    drain: Drain = Field(default=Drain(), description="How a pod stops.")
    routes: Routes | None = Field(default=None, description="The way in through a Gateway, by weight.")
    ingress: Ingress | None = Field(default=None, description="The way in through an Ingress; not beside routes.")
    rollout: Rollout = Field(default_factory=Rollout, description="How traffic moves to a new version.")
    chart: dict[ChartKey, JsonValue] = Field(
        default_factory=dict, description="Further values of the chart, passed on as they are."
    )

    @property
    def primary_endpoint(self) -> str:
        """The endpoint that the main Service selects."""
        return self.primary or next(iter(self.variants))


def resolve_release_path(name: str | Path) -> Path:
    """``production`` or a path to a YAML file, as a path.

    Raises:
        SpecError: when there is no such file, listing the releases there are.
    """
    return resolve(name, RELEASES_DIR, "release")


def lock_path(release: Path) -> Path:
    """The lock that belongs to a release file, beside it."""
    return release.with_name(release.stem + LOCK_SUFFIX)
