"""The operator's settings."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from splat_operator.api.defaults import Defaults
from splat_operator.api.names import DEFAULT_CONTROLLER


@dataclass(frozen=True)
class Settings:
    """Each field names its variable; those without one are constants that tests change."""

    worker_image: str
    """SPLATS_WORKER_IMAGE: image of the pods where spec.image is unset. Required."""

    worker_image_pull_policy: str = "IfNotPresent"
    """SPLATS_WORKER_IMAGE_PULL_POLICY: where spec.imagePullPolicy is unset; Always, IfNotPresent or Never."""

    worker_fixed_user: bool = True
    """SPLATS_WORKER_FIXED_USER: 0 leaves user, group and fsGroup of the workers' pods to the cluster, as OpenShift
    wants, which gives each namespace a range of its own and refuses all others."""

    watch_namespaces: tuple[str, ...] = ()
    """SPLATS_WATCH_NAMESPACES: names separated by commas; empty: the whole cluster."""

    controller_name: str = DEFAULT_CONTROLLER
    """SPLATS_CONTROLLER_NAME: acts on resources whose spec.managedBy this is, so that several operators can share a
    cluster; the default one also on those without."""

    cpu_fallback: bool = False
    """SPLATS_CPU_FALLBACK: 1 lets a worker go on with the CPU where the node only advertises a GPU and has none."""

    defaults: Defaults = field(default_factory=Defaults)
    """SPLATS_WORKER_DEFAULTS: what specs get that leave it out, as JSON (see Defaults)."""

    gpu_hour_prices: Mapping[str, float] = field(default_factory=dict)
    """SPLATS_GPU_HOUR_PRICES: price of an hour of one GPU by its resource, as JSON, such as {"nvidia.com/gpu": 2.5};
    runs on others have no cost."""

    currency: str = ""
    """SPLATS_CURRENCY: of these prices, such as USD."""

    cost_label: str = ""
    """SPLATS_COST_LABEL: label of resources by whose value GPU seconds and cost are counted, such as team."""

    allowed_sources: tuple[str, ...] = ()
    """SPLATS_ALLOWED_SOURCES: what spec.source.uri must begin with, separated by commas, each ending in a slash:
    `s3://scenes/` (a bucket), `https://example.com/`, `pvc://`; empty: anything."""

    allowed_destinations: tuple[str, ...] = ()
    """SPLATS_ALLOWED_DESTINATIONS: the same for spec.destination.uri."""

    allowed_endpoints: tuple[str, ...] = ()
    """SPLATS_ALLOWED_ENDPOINTS: S3 endpoints that a spec may name, separated by commas, `aws` for leaving it out;
    empty: any."""

    allowed_images: tuple[str, ...] = ()
    """SPLATS_ALLOWED_IMAGES: images that pods may have beside the worker's, separated by commas: a repository
    (`registry.example/worker`, with any tag or digest), or all below a slash (`registry.example/team/`); empty: any."""

    allowed_service_accounts: tuple[str, ...] = ()
    """SPLATS_ALLOWED_SERVICE_ACCOUNTS: names that pods may run as beside the namespace's own `default`, separated by
    commas; empty: any."""

    allow_unrestricted_pods: bool = False
    """SPLATS_ALLOW_UNRESTRICTED_PODS: 1 lets spec.podTemplate leave the Pod Security profile `restricted`."""

    lease: tuple[str, str] | None = None
    """SPLATS_LEASE: namespace and name of the Lease, as namespace/name, that the acting one of several processes holds;
    unset: no election, for a process that is the only one."""

    identity: str = field(default_factory=socket.gethostname)
    """SPLATS_IDENTITY: name of this process in the Lease, such as its pod's; unset: the host's name."""

    health_port: int = 8080
    """SPLATS_HEALTH_PORT: TCP port of /healthz."""

    metrics_port: int = 8081
    """SPLATS_METRICS_PORT: TCP port of /metrics."""

    log_level: str = "info"
    """SPLATS_LOG_LEVEL: debug, info, warning or error."""

    workers: int = 8
    """SPLATS_WORKERS: passes at one time. They wait for the API server mostly; more only lengthens its queues."""

    progress_interval_s: float = 5.0
    """SPLATS_PROGRESS_INTERVAL_SECONDS: between two looks at the log of a running pod, which cost a request each."""

    config_error_grace_s: float = 20.0
    """How long a Secret may be missing: applied together with the resource, it may come a little later."""

    no_pod_grace_s: float = 10.0
    """How long a Job may have no pod before its message points to where the reason stands."""

    conflict_pause_s: float = 0.1
    """Before a pass is repeated that was overtaken by a change: the watch brings it at about that time."""

    quiet_s: float = 5.0
    """How long a step that every run goes through may take before it is written into the status."""

    log_reads_per_s: float = 40.0
    """SPLATS_LOG_READS_PER_SECOND: requests for progress, reads of logs and the statuses that they change, of all
    resources together: with more than 200 running pods they are looked at less often than above."""

    cleanup_deadline_s: float = 600.0
    """How long a deleted resource may wait for its outputs to be deleted; then it goes without."""

    cleanup_queue_deadline_s: float = 3600.0
    """The same while the Job that deletes waits in a queue, for others' work to end."""

    relist_interval_s: float = 1800.0
    """SPLATS_RELIST_INTERVAL_SECONDS: between two lists of everything that is watched: the net under a lost event."""
