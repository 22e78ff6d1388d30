"""The operator's settings, read from the environment once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(ValueError):
    """The environment lacks a setting or holds one that cannot be used; `str(error)` is one sentence."""


@dataclass(frozen=True)
class Settings:
    """Each field names its variable; those without one are constants that tests change."""

    worker_image: str
    """SPLATS_WORKER_IMAGE: image of the pods where spec.image is unset. Required."""

    worker_image_pull_policy: str = "IfNotPresent"
    """SPLATS_WORKER_IMAGE_PULL_POLICY: where spec.imagePullPolicy is unset; Always, IfNotPresent or Never."""

    watch_namespaces: tuple[str, ...] = ()
    """SPLATS_WATCH_NAMESPACES: names separated by commas; empty: the whole cluster."""

    cpu_fallback: bool = False
    """SPLATS_CPU_FALLBACK: 1 lets a worker go on with the CPU where the node only advertises a GPU and has none."""

    health_port: int = 8080
    """SPLATS_HEALTH_PORT: TCP port of /healthz."""

    metrics_port: int = 8081
    """SPLATS_METRICS_PORT: TCP port of /metrics."""

    workers: int = 8
    """Passes at one time. They wait for the API server mostly; more of them only lengthens its queues."""

    progress_interval_s: float = 5.0
    """Between two looks at the log of a running pod. Each costs the kubelet a request."""

    config_error_grace_s: float = 20.0
    """How long a Secret may be missing: applied together with the resource, it may come a little later."""

    no_pod_grace_s: float = 10.0
    """How long a Job may have no pod before its message points to where the reason stands."""

    resync_interval_s: float = 300.0
    """Between two looks at an unfinished resource when nothing is heard: the net under a lost watch event."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables; an empty variable counts as unset. Raises SettingsError."""
    image = environment.get("SPLATS_WORKER_IMAGE", "")
    if not image:
        raise SettingsError("SPLATS_WORKER_IMAGE is not set; set it to the worker's image, such as splat-worker:0.1.0")
    namespaces = environment.get("SPLATS_WATCH_NAMESPACES", "").split(",")
    return Settings(
        worker_image=image,
        worker_image_pull_policy=_read_pull_policy(environment),
        watch_namespaces=tuple(name.strip() for name in namespaces if name.strip()),
        cpu_fallback=_read_flag(environment, "SPLATS_CPU_FALLBACK"),
        health_port=_read_port(environment, "SPLATS_HEALTH_PORT", Settings.health_port),
        metrics_port=_read_port(environment, "SPLATS_METRICS_PORT", Settings.metrics_port),
    )


def _read_pull_policy(environment: Mapping[str, str]) -> str:
    policy = environment.get("SPLATS_WORKER_IMAGE_PULL_POLICY") or Settings.worker_image_pull_policy
    if policy not in ("Always", "IfNotPresent", "Never"):
        raise SettingsError(f"SPLATS_WORKER_IMAGE_PULL_POLICY is {policy!r}; set it to Always, IfNotPresent or Never")
    return policy


def _read_flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "")
    if value not in ("", "0", "1"):
        raise SettingsError(f"{name} is {value!r}; set it to 1 or 0")
    return value == "1"


def _read_port(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SettingsError(f"{name} is {value!r}; set it to a TCP port, 1 to 65535")
    return int(value)
