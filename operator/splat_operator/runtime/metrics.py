"""What Prometheus can ask: passes, watches, runs, and what there is. No object names among the labels."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics, start_http_server
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from splat_operator.api.names import EXIT_REASONS
from splat_operator.api.times import parse_time

SECONDS_BUCKETS = (1.0, *(2.5 * 2**n for n in range(16)))
"""Kueue's, and on up to a day: the last is 81920 s."""
RATIO_BUCKETS = (1, 2, 4, 8, 12, 16, 20, 30, 50)

CACHE_HIT = "CacheHit"
OTHER = "Other"
"""Label of every reason that is not known: what ends a pod may name its reason as it likes."""

KNOWN_REASONS = frozenset(
    [
        *EXIT_REASONS.values(),
        # The operator's own.
        *("Succeeded", CACHE_HIT, "ResultMissing", "InvalidJob"),
        *("NotAllowed", "PodNotRestricted", "InvalidPodTemplate"),
        *("DeadlineExceeded", "JobFailed", "PodFailed", "OOMKilled"),
        # What a run waited for when its pending deadline came.
        *("NoPod", "WaitingForPod", "Starting", "Unschedulable", "SchedulingGated", "ImagePullBackOff"),
        *("CreateContainerError", "RunContainerError", "CrashLoopBackOff"),
        # The Job controller's, where no pod was left to tell.
        *("BackoffLimitExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy"),
        # What ended a pod from outside: the kubelet's reasons and those of the condition DisruptionTarget.
        *("Evicted", "NodeLost", "Terminated", "UnexpectedAdmissionError", "PreemptionByScheduler"),
        *("DeletionByTaintManager", "EvictionByEvictionAPI", "DeletionByPodGC", "TerminationByKubelet"),
        # The container runtime's.
        *("Error", "StartError", "ContainerCannotRun", "ContainerStatusUnknown"),
    ]
)

# One more series for each counter and histogram, of use to nobody here.
disable_created_metrics()  # type: ignore[no-untyped-call]

BUILD_INFO = Gauge("splat_operator_build_info", "Always 1; the version is a label.", ["version"])
RECONCILE_TOTAL = Counter(
    "splat_operator_reconcile", "Passes by their result: ok, refused, conflict, error.", ["result"]
)
RECONCILE_DURATION = Histogram("splat_operator_reconcile_duration_seconds", "Time that a pass took.")
LAST_EVENT = Gauge(
    "splat_operator_watch_last_event_timestamp_seconds", "When the last watch event of that kind came in.", ["kind"]
)
FINISHED_TOTAL = Counter(
    "splat_compressions_finished",
    "Runs that ended, counted when their status was written.",
    ["namespace", "result", "reason"],
)
QUEUE_WAIT = Histogram(
    "splat_compression_queue_wait_seconds",
    "Time from a Job's creation to its first pod's start.",
    ["namespace"],
    buckets=SECONDS_BUCKETS,
)
DURATION = Histogram(
    "splat_compression_duration_seconds",
    "Time from a run's start to its end, without runs that found everything done.",
    ["namespace", "result"],
    buckets=SECONDS_BUCKETS,
)
RATIO = Histogram(
    "splat_compression_ratio",
    "Input bytes divided by output bytes, of each run that compressed.",
    ["namespace"],
    buckets=RATIO_BUCKETS,
)
INPUT_BYTES = Counter("splat_compression_input_bytes", "Bytes of the scenes that were compressed.", ["namespace"])
OUTPUT_BYTES = Counter("splat_compression_output_bytes", "Bytes that they were compressed to.", ["namespace"])
GPU_SECONDS = Counter("splat_compression_gpu_seconds", "Time for which runs that ended held GPUs.", ["namespace"])

_TOTALS = {"inputBytes": INPUT_BYTES, "outputBytes": OUTPUT_BYTES, "gpuSeconds": GPU_SECONDS}
"""Fields of a status and what they are added to."""


class PhaseCollector(Collector):
    """Counts resources at scrape time, so that a namespace without any has no series.

    Args:
        phases: namespace and phase of each resource by UID; may change at any time.
    """

    def __init__(self, phases: dict[str, tuple[str, str]]) -> None:
        self._phases = phases

    def collect(self) -> Iterator[Metric]:
        """The one gauge."""
        gauge = GaugeMetricFamily("splat_compressions", "Resources in that phase.", labels=["namespace", "phase"])
        # The copy is one step of the interpreter: a scrape runs in a thread of its own.
        for labels, count in collections.Counter(self._phases.copy().values()).items():
            gauge.add_metric(labels, count)
        yield gauge


def record_finish(namespace: str, result: str, reason: str, status: Mapping[str, Any]) -> None:
    """Count a run that ended in the terminal phase `result`; `status` is the resource's, any field may be absent.

    A run that found its outputs made already has compressed nothing: it is only counted.
    """
    FINISHED_TOTAL.labels(namespace, result, reason if reason in KNOWN_REASONS else OTHER).inc()
    if reason == CACHE_HIT:
        return
    started, ended = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    if started and ended:
        DURATION.labels(namespace, result).observe(max(0.0, (ended - started).total_seconds()))
    if "compressionRatio" in status:
        RATIO.labels(namespace).observe(status["compressionRatio"])
    for field, total in _TOTALS.items():
        total.labels(namespace).inc(max(0, status.get(field, 0)))


def record_wait(namespace: str, seconds: float) -> None:
    """Count how long a Job waited for its first pod to start; a negative time, from clocks that differ, is 0."""
    QUEUE_WAIT.labels(namespace).observe(max(0.0, seconds))


def serve(port: int, phases: dict[str, tuple[str, str]], registry: CollectorRegistry = REGISTRY) -> Callable[[], None]:
    """Serve /metrics on all addresses from a thread of its own; returns what ends it. Raises OSError.

    `phases` is what PhaseCollector wants.
    """
    BUILD_INFO.labels(version=_version()).set(1)
    server, thread = start_http_server(port, registry=registry)
    collector = PhaseCollector(phases)
    registry.register(collector)

    def stop() -> None:
        registry.unregister(collector)
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _version() -> str:
    try:
        return version("splat-operator")
    except PackageNotFoundError:  # Run from a checkout.
        return "unknown"
