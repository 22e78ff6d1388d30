"""Settings from environment variables, read once."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from splat_operator.api.defaults import DEFAULT_FIELDS, Defaults, parse_defaults
from splat_operator.api.settings import Settings

LOG_LEVELS = ("debug", "info", "warning", "error")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MAX_WORKERS = 64


class SettingsError(ValueError):
    """The environment lacks a setting or holds one that cannot be used; `str(error)` is one sentence."""


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
        defaults=_read_defaults(environment),
        gpu_hour_prices=_read_prices(environment),
        currency=environment.get("SPLATS_CURRENCY", ""),
        cost_label=environment.get("SPLATS_COST_LABEL", ""),
        allowed_sources=_read_prefixes(environment, "SPLATS_ALLOWED_SOURCES"),
        allowed_destinations=_read_prefixes(environment, "SPLATS_ALLOWED_DESTINATIONS"),
        allowed_endpoints=_read_endpoints(environment, "SPLATS_ALLOWED_ENDPOINTS"),
        allowed_images=_read_list(environment, "SPLATS_ALLOWED_IMAGES"),
        allowed_service_accounts=_read_list(environment, "SPLATS_ALLOWED_SERVICE_ACCOUNTS"),
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


def _read_object(environment: Mapping[str, str], name: str) -> dict[str, Any]:
    text = environment.get(name) or "{}"
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise SettingsError(f"{name} is {text!r}; set it to a JSON object")
    return value


def _read_defaults(environment: Mapping[str, str]) -> Defaults:
    raw = _read_object(environment, "SPLATS_WORKER_DEFAULTS")
    if unknown := sorted(set(raw) - set(DEFAULT_FIELDS)):
        raise SettingsError(
            f"SPLATS_WORKER_DEFAULTS holds {unknown[0]!r}; set it to an object with {', '.join(DEFAULT_FIELDS)}"
        )
    for name, value in raw.items():
        if not isinstance(value, DEFAULT_FIELDS[name]):
            raise SettingsError(f"SPLATS_WORKER_DEFAULTS has {value!r} for {name}; set it to what a spec has there")
    defaults = parse_defaults(raw)
    if defaults.scratch.storage_class and not defaults.scratch.size:
        raise SettingsError("SPLATS_WORKER_DEFAULTS has a storageClassName for scratch and no size; set both")
    return defaults


def _read_prices(environment: Mapping[str, str]) -> dict[str, float]:
    prices = _read_object(environment, "SPLATS_GPU_HOUR_PRICES")
    for resource, price in prices.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
            raise SettingsError(f"SPLATS_GPU_HOUR_PRICES has {price!r} for {resource}; set it to a number from 0 on")
    if prices and not environment.get("SPLATS_CURRENCY"):
        raise SettingsError("SPLATS_CURRENCY is not set; set it to that of SPLATS_GPU_HOUR_PRICES, such as USD")
    return prices


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
