"""What the operator has asked of the API server, by its own count.

The API server's metrics do not tell its users apart, and an audit log, which does, would cost every cluster of every
day for the sake of this one. Watch events show most writes, but no LIST, no GET, no log that was read, and no write
that changed nothing. So the operator counts where it sends: splat_operator_api_requests_total{verb,kind,code}.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.errors import BenchmarkError

METRIC = "splat_operator_api_requests"
WRITES = frozenset({"create", "patch", "update", "delete"})
LEASES = "leases"
"""Renewed all the time by whoever has one; they are the writes that an idle operator may do."""

Requests: TypeAlias = Counter[tuple[str, str]]
"""How many of each verb and kind."""


def parse_requests(metrics: str) -> Requests:
    """Read the operator's /metrics.

    Raises:
        BenchmarkError: it does not count its requests.
    """
    families = {family.name: family for family in text_string_to_metric_families(metrics)}
    if METRIC not in families:
        raise BenchmarkError(f"The operator's /metrics lack {METRIC}_total: install the one of this checkout.")
    counted: Requests = Counter()
    for sample in families[METRIC].samples:
        counted[sample.labels["verb"], sample.labels["kind"]] += int(sample.value)
    return counted


def writes(requests: Requests) -> int:
    """Count what may change an object, leases apart."""
    return sum(count for (verb, kind), count in requests.items() if verb in WRITES and kind != LEASES)


def total(requests: Requests) -> int:
    """Count all, watches included: one each time that one is begun."""
    return sum(requests.values())


def of_verb(requests: Requests, verb: str) -> int:
    """Count one verb."""
    return sum(count for (each, _), count in requests.items() if each == verb)


def per(requests: Requests, divisor: float) -> dict[str, float]:
    """Divide each count: `{"patch splatcompressions": 3.0}`, the most first."""
    return {f"{verb} {kind}": round(count / divisor, 3) for (verb, kind), count in requests.most_common() if count}
