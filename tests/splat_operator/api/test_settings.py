"""Settings from the environment, and the sentence for each that cannot be used."""

from __future__ import annotations

import socket

import pytest

from splat_operator.api.defaults import Defaults, Scratch
from splat_operator.api.environment import SettingsError, read_settings
from splat_operator.api.settings import Settings

IMAGE = {"SPLATS_WORKER_IMAGE": "splat-worker:1"}


def test_defaults() -> None:
    assert read_settings(IMAGE) == Settings(worker_image="splat-worker:1")


def test_empty_variables_are_unset_ones() -> None:
    names = (
        *("WORKER_IMAGE_PULL_POLICY", "WORKER_FIXED_USER", "WATCH_NAMESPACES", "CPU_FALLBACK"),
        *("LEASE", "IDENTITY", "HEALTH_PORT", "METRICS_PORT", "LOG_LEVEL", "WORKERS"),
        *("PROGRESS_INTERVAL_SECONDS", "LOG_READS_PER_SECOND", "RELIST_INTERVAL_SECONDS"),
        *("WORKER_DEFAULTS", "GPU_HOUR_PRICES", "CURRENCY", "COST_LABEL", "ALLOWED_IMAGES", "ALLOWED_SERVICE_ACCOUNTS"),
    )
    assert read_settings({**IMAGE, **{f"SPLATS_{name}": "" for name in names}}) == read_settings(IMAGE)


def test_everything() -> None:
    settings = read_settings(
        {
            **IMAGE,
            "SPLATS_WORKER_IMAGE_PULL_POLICY": "Never",
            "SPLATS_WATCH_NAMESPACES": "team-a, team-b,",
            "SPLATS_CONTROLLER_NAME": "example.com/next",
            "SPLATS_CPU_FALLBACK": "1",
            "SPLATS_ALLOWED_SOURCES": "s3://scenes/, pvc://",
            "SPLATS_ALLOWED_DESTINATIONS": "s3://scenes/compressed/",
            "SPLATS_ALLOWED_ENDPOINTS": "aws,https://s3.example:8333/",
            "SPLATS_ALLOWED_IMAGES": "registry.example/team/,registry.example/worker",
            "SPLATS_ALLOWED_SERVICE_ACCOUNTS": "reader, writer",
            "SPLATS_WORKER_DEFAULTS": '{"tolerations": [{"key": "gpu"}], "scratch": {"size": "50Gi"}}',
            "SPLATS_GPU_HOUR_PRICES": '{"nvidia.com/gpu": 2.5}',
            "SPLATS_CURRENCY": "EUR",
            "SPLATS_COST_LABEL": "team",
            "SPLATS_ALLOW_UNRESTRICTED_PODS": "1",
            "SPLATS_WORKER_FIXED_USER": "0",
            "SPLATS_LEASE": "splat-operator/splats",
            "SPLATS_IDENTITY": "splat-operator-x",
            "SPLATS_HEALTH_PORT": "9080",
            "SPLATS_METRICS_PORT": "9081",
            "SPLATS_LOG_LEVEL": "debug",
            "SPLATS_WORKERS": "16",
            "SPLATS_PROGRESS_INTERVAL_SECONDS": "2.5",
            "SPLATS_LOG_READS_PER_SECOND": "100",
            "SPLATS_RELIST_INTERVAL_SECONDS": "600",
        }
    )
    assert settings == Settings(
        worker_image="splat-worker:1",
        worker_image_pull_policy="Never",
        watch_namespaces=("team-a", "team-b"),
        controller_name="example.com/next",
        cpu_fallback=True,
        allowed_sources=("s3://scenes/", "pvc://"),
        allowed_destinations=("s3://scenes/compressed/",),
        allowed_endpoints=("aws", "https://s3.example:8333"),
        allowed_images=("registry.example/team/", "registry.example/worker"),
        allowed_service_accounts=("reader", "writer"),
        defaults=Defaults(pod={"tolerations": [{"key": "gpu"}]}, scratch=Scratch(size="50Gi")),
        gpu_hour_prices={"nvidia.com/gpu": 2.5},
        currency="EUR",
        cost_label="team",
        allow_unrestricted_pods=True,
        worker_fixed_user=False,
        lease=("splat-operator", "splats"),
        identity="splat-operator-x",
        health_port=9080,
        metrics_port=9081,
        log_level="debug",
        workers=16,
        progress_interval_s=2.5,
        log_reads_per_s=100.0,
        relist_interval_s=600.0,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SPLATS_WORKER_IMAGE", ""),
        ("SPLATS_WORKER_IMAGE_PULL_POLICY", "Sometimes"),
        ("SPLATS_CPU_FALLBACK", "yes"),
        ("SPLATS_WORKER_FIXED_USER", "no"),
        ("SPLATS_LEASE", "splats"),
        ("SPLATS_LEASE", "splat-operator/"),
        ("SPLATS_LEASE", "/splats"),
        ("SPLATS_LEASE", "a/b/c"),
        ("SPLATS_HEALTH_PORT", "http"),
        ("SPLATS_METRICS_PORT", "65536"),
        ("SPLATS_LOG_LEVEL", "loud"),
        ("SPLATS_WORKERS", "0"),
        ("SPLATS_WORKERS", "65"),
        ("SPLATS_PROGRESS_INTERVAL_SECONDS", "soon"),
        ("SPLATS_LOG_READS_PER_SECOND", "0"),
        ("SPLATS_RELIST_INTERVAL_SECONDS", "inf"),
        ("SPLATS_WORKER_DEFAULTS", "[]"),
        ("SPLATS_WORKER_DEFAULTS", "{"),
        ("SPLATS_GPU_HOUR_PRICES", "2.5"),
    ],
)
def test_refusal_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} is .*; set it to "):
        read_settings({**IMAGE, variable: value})


def test_identity_is_the_host_name_where_none_is_given() -> None:
    assert read_settings(IMAGE).identity == socket.gethostname()


@pytest.mark.parametrize("prefix", ["s3://scenes", "scenes/", "s3:/scenes/", "http://example.com/"])
def test_a_prefix_that_would_let_more_pass_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="end it with a slash"):
        read_settings({**IMAGE, "SPLATS_ALLOWED_SOURCES": f"s3://others/,{prefix}"})


def test_an_endpoint_that_nothing_could_match_is_refused() -> None:
    with pytest.raises(SettingsError, match="write aws or a URL"):
        read_settings({**IMAGE, "SPLATS_ALLOWED_ENDPOINTS": "aws,s3.example:8333"})


def test_a_default_that_nobody_reads_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"^SPLATS_WORKER_DEFAULTS holds 'nodeselector'; set it to an object with s3"
    ):
        read_settings({**IMAGE, "SPLATS_WORKER_DEFAULTS": '{"nodeselector": {}}'})


@pytest.mark.parametrize("price", ["-1", "true", '"2.5"', "NaN"])
def test_a_price_that_is_none_is_refused(price: str) -> None:
    with pytest.raises(SettingsError, match=r"^SPLATS_GPU_HOUR_PRICES has .* for nvidia.com/gpu; set it to a number"):
        read_settings({**IMAGE, "SPLATS_CURRENCY": "USD", "SPLATS_GPU_HOUR_PRICES": f'{{"nvidia.com/gpu": {price}}}'})


def test_a_price_needs_a_currency() -> None:
    with pytest.raises(SettingsError, match=r"^SPLATS_CURRENCY is not set; set it to that of "):
        read_settings({**IMAGE, "SPLATS_GPU_HOUR_PRICES": '{"nvidia.com/gpu": 2}'})


@pytest.mark.parametrize("default", ['{"s3": "minio"}', '{"tolerations": {}}', '{"runtimeClassName": 1}'])
def test_a_default_of_a_wrong_type_is_refused(default: str) -> None:
    with pytest.raises(SettingsError, match=r"^SPLATS_WORKER_DEFAULTS has .*; set it to what a spec has there"):
        read_settings({**IMAGE, "SPLATS_WORKER_DEFAULTS": default})


def test_a_volume_for_scratch_needs_a_size() -> None:
    with pytest.raises(SettingsError, match="for scratch and no size; set both"):
        read_settings({**IMAGE, "SPLATS_WORKER_DEFAULTS": '{"scratch": {"storageClassName": "fast"}}'})
