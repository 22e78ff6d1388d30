"""A real Prometheus scrapes the operator as docs/metrics.md says: dashboard and alerts have what they need."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bucket import Bucket
from chart.helm import Helm, of_kind
from cluster.errors import ClusterError
from kubectl import Kubectl
from prometheus.dashboard import Query, look_up_variables, queries
from prometheus.page import RULES, configuration
from prometheus.picture import draw
from prometheus.release import NAME, install
from prometheus.server import Prometheus

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]
ENDED = "splat_compressions_finished_total"
INTERVAL_S = 1
RANGE_S = 600
CHART_VALUES = (
    "metrics.prometheusRule.enabled=true",
    "metrics.dashboard.enabled=true",
    "metrics.prometheusRule.failing.share=0.4",
    "metrics.prometheusRule.failing.runs=4",
)


@pytest.fixture
def objects(helm: Helm, kubectl: Kubectl) -> list[dict[str, Any]]:
    """Rules and dashboard of the release, with an alert that four runs can raise."""
    options = [word for value in CHART_VALUES for word in ("--set-json", value)]
    return helm.objects(*options, release=NAME, namespace=kubectl.namespace)


@pytest.fixture
def dashboard(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (config_map,) = of_kind(objects, "ConfigMap")
    found: dict[str, Any] = json.loads(config_map["data"]["splat-operator.json"])
    return found


@pytest.fixture
def controller(kubectl: Kubectl, tmp_path: Path) -> str:
    """Install a release of its own; gives what its resources name as `managedBy`."""
    if os.environ.get("CLUSTER") == "current":
        pytest.skip("this machine may not reach the addresses of that cluster's pods")
    return install(kubectl, tmp_path)


@pytest.fixture
def prometheus(
    programs: Path,
    kubectl: Kubectl,
    controller: str,  # noqa: ARG001 - the release is there
    objects: list[dict[str, Any]],
    tmp_path: Path,
) -> Iterator[Prometheus]:
    (rule,) = of_kind(objects, "PrometheusRule")
    (tmp_path / RULES).write_text(yaml.safe_dump(rule["spec"]))
    asked = configuration(kubectl.namespace, kubeconfig=kubectl.environment["KUBECONFIG"], interval_s=INTERVAL_S)
    with Prometheus(programs / "prometheus", tmp_path, asked) as server:
        yield server


def total(prometheus: Prometheus, expression: str) -> float:
    """The sum of a query's values; 0 where it has none."""
    return sum(float(sample["value"][1]) for sample in prometheus.query(expression))


def has_data(prometheus: Prometheus, query: Query, variables: dict[str, str]) -> bool:
    """Whether a panel would show a number."""
    expression = query.filled(variables, RANGE_S)
    if query.is_instant:
        values = [sample["value"][1] for sample in prometheus.query(expression)]
    else:
        end, step_s = time.time(), query.step_s(RANGE_S)
        lines = prometheus.query_range(expression, start=end - RANGE_S, end=end, step_s=step_s)
        values = [value for line in lines for _, value in line["values"]]
    return any(math.isfinite(float(value)) for value in values)


def test_panels_have_data_and_rules_no_errors_after_runs_that_succeeded_and_that_failed(
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
    controller: str,
    dashboard: dict[str, Any],
    prometheus: Prometheus,
    tmp_path: Path,
) -> None:
    prometheus.wait_for("The target", lambda: total(prometheus, "up") == 1)
    fixed = {"managedBy": controller, "gpu": {"count": 0}}
    # Twice: what a counter begins with is no increase.
    for first, second in ((1, 2), (3, 4)):
        kubectl.apply(compression(f"run-{first}", bucket.put(f"{first}.ply", small_scene), **fixed))
        kubectl.apply(compression(f"run-{second}", bucket.uri("missing.ply"), **fixed))
        kubectl.finish(f"run-{first}")
        kubectl.finish(f"run-{second}", "Failed")
        prometheus.wait_for("The count", lambda second=second: total(prometheus, ENDED) == second)

    variables = look_up_variables(dashboard, prometheus)
    assert variables["operator"] == kubectl.namespace
    waiting = list(queries(dashboard, scrape_interval_s=INTERVAL_S))
    assert len(waiting) > len(dashboard["panels"])

    def all_have_data() -> bool:
        waiting[:] = [query for query in waiting if not has_data(prometheus, query, variables)]
        return not waiting

    try:
        prometheus.wait_for("Data of all panels", all_have_data)
    except ClusterError as error:
        raise AssertionError(f"no data: {[query.panel for query in waiting]}") from error

    alert = f'ALERTS{{alertname="SplatCompressionsFailing", exported_namespace="{kubectl.namespace}"}}'
    prometheus.wait_for("The alert", lambda: total(prometheus, alert) == 1)
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule.get("alerts")] == ["SplatCompressionsFailing"]

    end = time.time()
    draw(dashboard, prometheus, tmp_path / "dashboard.svg", start=end - RANGE_S, end=end)
    assert (tmp_path / "dashboard.svg").read_text().startswith("<?xml")
