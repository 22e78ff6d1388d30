"""What Prometheus can ask: passes and finished runs. No object names among the labels."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CollectorRegistry

BUILD_INFO = Gauge("splat_operator_build_info", "Always 1; the version is a label.", ["version"])
RECONCILE_TOTAL = Counter(
    "splat_operator_reconcile", "Passes by their result: ok, refused, conflict, error.", ["result"]
)
RECONCILE_DURATION = Histogram("splat_operator_reconcile_duration_seconds", "Time that a pass took.")
LAST_EVENT = Gauge("splat_operator_watch_last_event_timestamp_seconds", "When the last watch event came in.")
FINISHED_TOTAL = Counter(
    "splat_compressions_finished",
    "Runs that ended, counted when their status was written.",
    ["namespace", "result", "reason"],
)


def serve(port: int, registry: CollectorRegistry = REGISTRY) -> Callable[[], None]:
    """Serve /metrics on all addresses from a thread of its own; returns what ends it. Raises OSError."""
    BUILD_INFO.labels(version=_version()).set(1)
    server, thread = start_http_server(port, registry=registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _version() -> str:
    try:
        return version("splat-operator")
    except PackageNotFoundError:  # Run from a checkout.
        return "unknown"
