"""The resource's spec, grouped by what an edit of a field does to the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from splat_operator.api.names import DEFAULT_CONTROLLER

Json = Mapping[str, Any]

POD_FIELDS = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "priorityClassName",
    "runtimeClassName",
    "serviceAccountName",
    "imagePullSecrets",
)
"""Fields of spec that go into the pod's spec as they are."""


@dataclass(frozen=True)
class S3:
    """How one side of the transfer is reached; None leaves the choice to the SDK."""

    endpoint: str | None = None
    region: str | None = None
    addressing_style: str = "auto"
    insecure_skip_tls_verify: bool = False
    credentials_secret: str | None = None
    ca_secret: str | None = None
    server_side_encryption: Json | None = None


@dataclass(frozen=True)
class Source:
    """The scenes to read; `sha256` (hex) is what their one object must have, None anything."""

    uri: str = ""
    sha256: str | None = None
    include: tuple[str, ...] = ()
    """Globs of which a scene must match one; none: all are taken."""
    exclude: tuple[str, ...] = ()
    s3: S3 = S3()


@dataclass(frozen=True)
class Destination:
    """Where the outputs go: a prefix (with a trailing slash) or the key of the only output."""

    uri: str = ""
    names: str = "{path}"
    """Pattern by which outputs below a prefix are named; the worker gives it its meaning."""
    s3: S3 = S3()


@dataclass(frozen=True)
class Encoder:
    """Parameters of the compression, named as in the spec; the worker gives them their meaning."""

    engine: str = "native"
    format: str = "sog"
    quality: str = "balanced"
    sh_bands: int = 3
    seed: int = 0
    target: Json = field(default_factory=dict)
    """What the output is to be, as in the spec; empty: what the quality makes of it."""


@dataclass(frozen=True)
class Output:
    """Everything that decides the output: an edit ends the running Job and runs again."""

    source: Source = Source()
    destination: Destination = Destination()
    encoder: Encoder = field(default_factory=Encoder)
    preview: bool = False
    gate: Json = field(default_factory=dict)
    """Bounds that outputs must keep to be published, as in the spec."""
    image: str | None = None
    """The image that the user chose; None: the operator's default, so that an upgrade of it runs nothing again."""


@dataclass(frozen=True)
class Scheduling:
    """Where and with what a pod runs: an edit applies to a run that has not started."""

    gpu_resource: str = "nvidia.com/gpu"
    gpu_count: int = 1
    """0 runs on the CPU."""
    resources: Json = field(default_factory=dict)
    image_pull_policy: str | None = None
    pod: Json = field(default_factory=dict)
    """The fields of POD_FIELDS that are set."""
    pod_template: Json = field(default_factory=dict)
    """A strategic merge patch of the pod template."""
    parallelism: int = 1
    """Pods among which the scenes are divided."""
    queue: str | None = None
    """Kueue's LocalQueue."""
    queue_priority: str | None = None
    """Kueue's WorkloadPriorityClass."""


@dataclass(frozen=True)
class Spec:
    """The spec with its defaults. What is neither output nor scheduling applies in place, to a running Job too."""

    output: Output = Output()
    scheduling: Scheduling = field(default_factory=Scheduling)
    cache: str = "Use"
    """`Use`: an output that was made from the same is kept; `Ignore`: it is made again."""
    suspend: bool = False
    retries: int = 3
    active_deadline_s: int | None = None
    pending_deadline_s: int | None = None
    ttl_s: int | None = 86400
    """Seconds that a finished Job is kept; None for ever."""
    deletes_outputs: bool = False
    """Whether the outputs go with the resource."""
    is_dry_run: bool = False
    managed_by: str | None = None
    """Who is to act on the resource; None: DEFAULT_CONTROLLER."""

    def is_for(self, controller_name: str) -> bool:
        """Whether the operator of that name is to act on the resource."""
        return (self.managed_by or DEFAULT_CONTROLLER) == controller_name


def is_for(raw: Json, controller_name: str) -> bool:
    """The same of a spec as the API server gives it."""
    return Spec(managed_by=raw.get("managedBy")).is_for(controller_name)


def parse_spec(raw: Json) -> Spec:
    """Spec of a resource as the API server gave it. Absent fields get the CRD's defaults; types are the CRD's care."""
    return Spec(
        output=_parse_output(raw),
        scheduling=_parse_scheduling(raw),
        cache=raw.get("cache", Spec.cache),
        suspend=raw.get("suspend", False),
        retries=raw.get("retries", 3),
        active_deadline_s=raw.get("activeDeadlineSeconds"),
        pending_deadline_s=raw.get("pendingDeadlineSeconds"),
        ttl_s=raw.get("ttlSecondsAfterFinished", 86400),
        deletes_outputs=raw.get("deletionPolicy", "Retain") == "Delete",
        is_dry_run=raw.get("dryRun", False),
        managed_by=raw.get("managedBy"),
    )


def _parse_output(raw: Json) -> Output:
    source, destination, encoder = raw.get("source", {}), raw.get("destination", {}), raw.get("encoder", {})
    return Output(
        source=Source(
            uri=source.get("uri", ""),
            sha256=source.get("sha256"),
            include=tuple(source.get("include", ())),
            exclude=tuple(source.get("exclude", ())),
            s3=_parse_s3(raw, source),
        ),
        destination=Destination(
            uri=destination.get("uri", ""),
            names=destination.get("names", Destination.names),
            s3=_parse_s3(raw, destination),
        ),
        encoder=Encoder(
            engine=encoder.get("engine", Encoder.engine),
            format=encoder.get("format", Encoder.format),
            quality=encoder.get("quality", Encoder.quality),
            sh_bands=encoder.get("shBands", Encoder.sh_bands),
            seed=encoder.get("seed", Encoder.seed),
            target=encoder.get("target", {}),
        ),
        preview=raw.get("preview", False),
        gate=raw.get("gate", {}),
        image=raw.get("image"),
    )


def _parse_s3(raw: Json, side: Json) -> S3:
    """The connection of one side: spec.s3, field by field overridden by the side's own.

    Neither a claim nor a web server has to do with spec.s3, and its credentials are not for them.
    """
    is_s3 = side.get("uri", "").startswith("s3://")
    return parse_connection({**(raw.get("s3", {}) if is_s3 else {}), **side.get("s3", {})})


def parse_connection(s3: Json) -> S3:
    """A connection as a spec writes it."""
    return S3(
        endpoint=s3.get("endpoint"),
        region=s3.get("region"),
        addressing_style=s3.get("addressingStyle", S3.addressing_style),
        insecure_skip_tls_verify=s3.get("insecureSkipTLSVerify", S3.insecure_skip_tls_verify),
        credentials_secret=s3.get("credentialsSecretRef", {}).get("name"),
        ca_secret=s3.get("caSecretRef", {}).get("name"),
        server_side_encryption=s3.get("serverSideEncryption"),
    )


def _parse_scheduling(raw: Json) -> Scheduling:
    gpu = raw.get("gpu", {})
    return Scheduling(
        gpu_resource=gpu.get("resourceName", Scheduling.gpu_resource),
        gpu_count=gpu.get("count", Scheduling.gpu_count),
        resources=raw.get("resources", {}),
        image_pull_policy=raw.get("imagePullPolicy"),
        pod={name: raw[name] for name in POD_FIELDS if raw.get(name)},
        pod_template=raw.get("podTemplate", {}),
        parallelism=raw.get("parallelism", Scheduling.parallelism),
        queue=raw.get("queueName"),
        queue_priority=raw.get("queuePriorityClassName"),
    )
