"""The operator's count of its requests, read from its metrics."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.operator.requests import of_verb, parse_requests, per, total, writes

METRICS = """\
# HELP splat_operator_build_info Always 1; the version is a label.
# TYPE splat_operator_build_info gauge
splat_operator_build_info{version="0.1.0"} 1.0
# HELP splat_operator_api_requests_total Requests to the API server.
# TYPE splat_operator_api_requests_total counter
splat_operator_api_requests_total{code="200",kind="splatcompressions",verb="patch"} 60.0
splat_operator_api_requests_total{code="409",kind="splatcompressions",verb="patch"} 1.0
splat_operator_api_requests_total{code="201",kind="jobs",verb="create"} 20.0
splat_operator_api_requests_total{code="200",kind="jobs",verb="list"} 3.0
splat_operator_api_requests_total{code="200",kind="pods",verb="list"} 2.0
splat_operator_api_requests_total{code="200",kind="leases",verb="patch"} 9.0
"""


def test_codes_are_added_up() -> None:
    assert parse_requests(METRICS) == {
        ("patch", "splatcompressions"): 61,
        ("create", "jobs"): 20,
        ("list", "jobs"): 3,
        ("list", "pods"): 2,
        ("patch", "leases"): 9,
    }


def test_an_operator_that_has_asked_nothing_yet_has_the_metric_all_the_same() -> None:
    assert parse_requests("".join(METRICS.splitlines(keepends=True)[:5])) == {}


def test_an_operator_that_does_not_count_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"lack splat_operator_api_requests_total: install"):
        parse_requests("".join(METRICS.splitlines(keepends=True)[:3]))


def test_renewing_a_lease_is_no_write() -> None:
    requests = parse_requests(METRICS)
    assert (writes(requests), of_verb(requests, "list"), total(requests)) == (81, 5, 95)


def test_they_are_divided_and_the_most_come_first() -> None:
    requests = Counter({("list", "jobs"): 1, ("patch", "splatcompressions"): 61, ("get", "pods"): 0})
    assert list(per(requests, 20).items()) == [("patch splatcompressions", 3.05), ("list jobs", 0.05)]
