"""What Prometheus can ask: passes, watches, runs, and what there is. No object names among the labels."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics, start_http_server
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from splat_operator.api.names import EXIT_REASONS
from splat_operator.api.times import parse_time

SECONDS_BUCKETS = (1.0, *(2.5 * 2**n for n in range(16)))
"""Kueue's, and on up to a day: the last is 81920 s."""
PASS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""A request has 30 s, and a pass may have two that wait as long."""
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
        *("InitContainerWaiting", "InitContainerFailed", "StatusRefused", "InternalError"),
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
LEADING = Gauge("splat_operator_leading", "1 where this process acts, 0 where it stands by for the Lease.")
RECONCILE_TOTAL = Counter(
    "splat_operator_reconcile", "Passes by their result: ok, refused, conflict, error.", ["result"]
)
RECONCILE_DURATION = Histogram(
    "splat_operator_reconcile_duration_seconds", "Time that a pass took.", buckets=PASS_BUCKETS
)
LOG_READS_FAILED = Counter("splat_operator_log_reads_failed", "Logs of running pods that could not be read in time.")
FINISHED_TOTAL = Counter(
    "splat_compressions_finished",
    "Runs that ended, counted when their status was written.",
    ["namespace", "result", "reason"],
)
API_REQUESTS = Counter(
    "splat_operator_api_requests",
    "Requests that the API server has answered; verbs are RBAC's, and logs.",
    ["verb", "kind", "code"],
)
QUEUE_WAIT = Histogram(
    "splat_compression_queue_wait_seconds",
    "Time from a Job's creation to its first pod's start.",
    buckets=SECONDS_BUCKETS,
)
DURATION = Histogram(
    "splat_compression_duration_seconds",
    "Time from a run's start to its end, without runs that found everything done.",
    ["result"],
    buckets=SECONDS_BUCKETS,
)
RATIO = Histogram(
    "splat_compression_ratio",
    "Input bytes divided by output bytes, of each run that compressed.",
    buckets=RATIO_BUCKETS,
)
INPUT_BYTES = Counter("splat_compression_input_bytes", "Bytes of the scenes that were compressed.", ["namespace"])
OUTPUT_BYTES = Counter("splat_compression_output_bytes", "Bytes that they were compressed to.", ["namespace"])
GPU_SECONDS = Counter(
    "splat_compression_gpu_seconds", "Time for which runs that ended held GPUs.", ["namespace", "label"]
)
COST = Counter("splat_compression_cost", "What that time cost.", ["namespace", "label", "currency"])
MAX_LABELS = 100
"""Values of the label that the administrator has chosen, for each namespace: users can invent them without end."""

_TOTALS = {"inputBytes": INPUT_BYTES, "outputBytes": OUTPUT_BYTES}
"""Fields of a status and what they are added to."""
_OF_NAMESPACES = (FINISHED_TOTAL, *_TOTALS.values(), GPU_SECONDS, COST)
GRACE_S = 3600.0
"""How long the series of a namespace stay that has no resource any more."""


Phases = Callable[[], Mapping[tuple[str, str], int]]
ByKind = Mapping[str, float]
Values = Iterable[tuple[Sequence[str], float]]
"""Values of a gauge by those of its labels."""


@dataclass(frozen=True)
class WatchTimes:
    """What is known of the watches, by the kind that they are of.

    Attributes:
        last_events: Unix time of the last event.
        last_lists: Unix time at which all was listed last.
        silent_s: seconds for which nothing at all was heard.
    """

    last_events: ByKind
    last_lists: ByKind
    silent_s: ByKind


class StateCollector(Collector):
    """Tells at scrape time what there is, so that a namespace without any resource has no series.

    All of its arguments are called from the scrape's thread.

    Args:
        phases: how many resources there are by namespace and phase.
        watches: what is known of the watches.
        backlog: how many resources wait for a pass, and the first of them for how many seconds.
    """

    def __init__(
        self, phases: Phases, watches: Callable[[], WatchTimes], backlog: Callable[[], tuple[int, float]]
    ) -> None:
        self._phases = phases
        self._watches = watches
        self._backlog = backlog

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        yield _gauge("splat_compressions", "Resources in that phase.", ("namespace", "phase"), self._phases().items())
        depth, age_s = self._backlog()
        yield _gauge("splat_operator_queue_depth", "Resources that wait for a pass.", (), [((), depth)])
        yield _gauge(
            "splat_operator_queue_age_seconds", "For how long the first of them has waited.", (), [((), age_s)]
        )
        watches = self._watches()
        for name, words, by_kind in (
            ("last_event_timestamp_seconds", "When the last watch event of that kind came in.", watches.last_events),
            ("last_list_timestamp_seconds", "When all objects of that kind were listed last.", watches.last_lists),
            ("silent_seconds", "For how long a watch of that kind has heard nothing at all.", watches.silent_s),
        ):
            values = [((kind,), value) for kind, value in by_kind.items()]
            yield _gauge(f"splat_operator_watch_{name}", words, ("kind",), values)


def _gauge(name: str, words: str, labels: Sequence[str], values: Values) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, words, labels=labels)
    for of_labels, value in values:
        gauge.add_metric(of_labels, value)
    return gauge


def record_finish(namespace: str, result: str, reason: str, status: Mapping[str, Any], *, label: str = "") -> None:
    """Count a run that ended in the terminal phase `result`; `status` is the resource's, any field may be absent.

    A run that found its outputs made already has compressed nothing: only it and what it used are counted. `label` is
    the value of the label that GPU seconds are counted by.
    """
    FINISHED_TOTAL.labels(namespace, result, reason if reason in KNOWN_REASONS else OTHER).inc()
    _record_usage(namespace, label, status)
    if reason == CACHE_HIT:
        return
    started, ended = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    if started and ended:
        DURATION.labels(result).observe(max(0.0, (ended - started).total_seconds()))
    if "compressionRatio" in status:
        RATIO.observe(status["compressionRatio"])
    for field, total in _TOTALS.items():
        total.labels(namespace).inc(max(0, status.get(field, 0)))


def _record_usage(namespace: str, label: str, status: Mapping[str, Any]) -> None:
    known = {values[1] for values in _label_values(GPU_SECONDS) if values[0] == namespace}
    label = label if label in known or len(known) < MAX_LABELS else OTHER
    GPU_SECONDS.labels(namespace, label).inc(max(0, status.get("gpuSeconds", 0)))
    if cost := status.get("cost"):
        COST.labels(namespace, label, cost["currency"]).inc(max(0, cost["amount"]))


def record_wait(seconds: float) -> None:
    """Count how long a Job waited for its first pod to start; a negative time, from clocks that differ, is 0."""
    QUEUE_WAIT.observe(max(0.0, seconds))


def record_request(verb: str, kind: str, code: int) -> None:
    """Count a request that the API server has answered."""
    API_REQUESTS.labels(verb, kind, str(code)).inc()


class NamespaceSeries:
    """Ends the series of namespaces that have no resource any more, so that they do not gather for ever.

    They stay for a while, as what has just finished may have been deleted before it was scraped.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._empty_since: dict[str, float] = {}

    def sweep(self, present: set[str]) -> None:
        """End the series of namespaces that have been without a resource for GRACE_S; `present` have some."""
        now = self._clock()
        for metric in _OF_NAMESPACES:
            for labels in _label_values(metric):
                if labels[0] in present:
                    self._empty_since.pop(labels[0], None)
                elif now - self._empty_since.setdefault(labels[0], now) >= GRACE_S:
                    metric.remove(*labels)
        known = {labels[0] for metric in _OF_NAMESPACES for labels in _label_values(metric)}
        self._empty_since = {name: since for name, since in self._empty_since.items() if name in known}


def _label_values(metric: Counter) -> list[tuple[str, ...]]:
    """The label values of a metric's series, the namespace first."""
    samples = [sample for family in metric.collect() for sample in family.samples]
    return [tuple(sample.labels[name] for name in metric._labelnames) for sample in samples]


def serve(port: int, state: StateCollector, registry: CollectorRegistry = REGISTRY) -> Callable[[], None]:
    """Serve /metrics on all addresses, of IPv6 too, from a thread of its own; returns what ends it. Raises OSError."""
    BUILD_INFO.labels(version=_version()).set(1)
    server, thread = start_http_server(port, addr=any_address(), registry=registry)
    registry.register(state)

    def stop() -> None:
        registry.unregister(state)
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def any_address() -> str:
    """The address that stands for all of this machine: of both families where it has IPv6, which takes IPv4 in."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - probes and scrapes come from outside


def _version() -> str:
    try:
        return version("splat-operator")
    except PackageNotFoundError:  # Run from a checkout.
        return "unknown"
