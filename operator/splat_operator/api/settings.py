"""The operator's settings, read from the environment once."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from splat_operator.api.names import DEFAULT_CONTROLLER

LOG_LEVELS = ("debug", "info", "warning", "error")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MAX_WORKERS = 64


class SettingsError(ValueError):
    """The environment lacks a setting or holds one that cannot be used; `str(error)` is one sentence."""


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

    allowed_sources: tuple[str, ...] = ()
    """SPLATS_ALLOWED_SOURCES: what spec.source.uri must begin with, separated by commas, each ending in a slash:
    `s3://scenes/` (a bucket), `https://example.com/`, `pvc://`; empty: anything."""

    allowed_destinations: tuple[str, ...] = ()
    """SPLATS_ALLOWED_DESTINATIONS: the same for spec.destination.uri."""

    allowed_endpoints: tuple[str, ...] = ()
    """SPLATS_ALLOWED_ENDPOINTS: S3 endpoints that a spec may name, separated by commas, `aws` for leaving it out;
    empty: any."""

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


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables; an empty variable counts as unset. Raises SettingsError."""
    image = environment.get("SPLATS_WORKER_IMAGE", "")
    if not image:
        raise SettingsError("SPLATS_WORKER_IMAGE is not set; set it to the worker's image, such as splat-worker:0.1.0")
    return Settings(
        worker_image=image,
        worker_image_pull_policy=_read_word(
            environment, "SPLATS_WORKER_IMAGE_PULL_POLICY", Settings.worker_image_pull_policy, PULL_POLICIES
        ),
        worker_fixed_user=_read_flag(environment, "SPLATS_WORKER_FIXED_USER", default=True),
        watch_namespaces=_read_list(environment, "SPLATS_WATCH_NAMESPACES"),
        controller_name=environment.get("SPLATS_CONTROLLER_NAME") or Settings.controller_name,
        cpu_fallback=_read_flag(environment, "SPLATS_CPU_FALLBACK"),
        allowed_sources=_read_prefixes(environment, "SPLATS_ALLOWED_SOURCES"),
        allowed_destinations=_read_prefixes(environment, "SPLATS_ALLOWED_DESTINATIONS"),
        allowed_endpoints=_read_endpoints(environment, "SPLATS_ALLOWED_ENDPOINTS"),
        allow_unrestricted_pods=_read_flag(environment, "SPLATS_ALLOW_UNRESTRICTED_PODS"),
        lease=_read_lease(environment),
        identity=environment.get("SPLATS_IDENTITY") or socket.gethostname(),
        log_level=_read_word(environment, "SPLATS_LOG_LEVEL", Settings.log_level, LOG_LEVELS),
        workers=_read_count(environment, "SPLATS_WORKERS", Settings.workers),
        progress_interval_s=_read_number(environment, "SPLATS_PROGRESS_INTERVAL_SECONDS", Settings.progress_interval_s),
        log_reads_per_s=_read_number(environment, "SPLATS_LOG_READS_PER_SECOND", Settings.log_reads_per_s),
        relist_interval_s=_read_number(environment, "SPLATS_RELIST_INTERVAL_SECONDS", Settings.relist_interval_s),
        health_port=_read_port(environment, "SPLATS_HEALTH_PORT", Settings.health_port),
        metrics_port=_read_port(environment, "SPLATS_METRICS_PORT", Settings.metrics_port),
    )


def _read_word(environment: Mapping[str, str], name: str, default: str, known: Sequence[str]) -> str:
    word = environment.get(name) or default
    if word not in known:
        raise SettingsError(f"{name} is {word!r}; set it to {', '.join(known[:-1])} or {known[-1]}")
    return word


def _read_count(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isdecimal() or not 0 < int(value) <= MAX_WORKERS:
        raise SettingsError(f"{name} is {value!r}; set it to a number from 1 to {MAX_WORKERS}")
    return int(value)


def _read_number(environment: Mapping[str, str], name: str, default: float) -> float:
    value = environment.get(name) or str(default)
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise SettingsError(f"{name} is {value!r}; set it to a number above 0")
    return number


def _read_list(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    words = (word.strip() for word in environment.get(name, "").split(","))
    return tuple(word for word in words if word)


def _read_prefixes(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    prefixes = _read_list(environment, name)
    for prefix in prefixes:
        # Without the slash s3://scenes would let s3://scenes-of-others pass.
        if not (prefix.startswith(("s3://", "pvc://", "https://")) and prefix.endswith("/")):
            raise SettingsError(f"{name} holds {prefix!r}; write s3://, https:// or pvc:// and end it with a slash")
    return prefixes


def _read_endpoints(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    endpoints = _read_list(environment, name)
    for endpoint in endpoints:
        if endpoint != "aws" and not endpoint.startswith(("https://", "http://")):
            raise SettingsError(f"{name} holds {endpoint!r}; write aws or a URL such as https://s3.example:8333")
    return tuple(endpoint.rstrip("/") for endpoint in endpoints)


def _read_flag(environment: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = environment.get(name) or str(int(default))
    if value not in ("0", "1"):
        raise SettingsError(f"{name} is {value!r}; set it to 1 or 0")
    return value == "1"


def _read_lease(environment: Mapping[str, str]) -> tuple[str, str] | None:
    value = environment.get("SPLATS_LEASE", "")
    namespace, _, name = value.partition("/")
    if value and not (namespace and name and "/" not in name):
        raise SettingsError(f"SPLATS_LEASE is {value!r}; set it to namespace/name, such as splat-operator/leader")
    return (namespace, name) if value else None


def _read_port(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SettingsError(f"{name} is {value!r}; set it to a TCP port, 1 to 65535")
    return int(value)
