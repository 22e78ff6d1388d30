"""The whole benchmark of the operator, with few resources on the embedded cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks.operator.manifests import LABEL

from cluster.cache import default_cache
from cluster.go_groups import FAKE_NODES
from cluster.lifecycle import build_besides
from crd.environment import NoClusterError, cluster_environment
from kubectl import Kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

ROOT = Path(__file__).parents[2]
RESOURCES = 20


@pytest.fixture(scope="module")
def environment() -> Mapping[str, str]:
    """What the benchmark needs: the embedded cluster, and kwok, built where it is not in the cache."""
    if os.environ.get("CLUSTER") == "current":
        pytest.skip("the operator's process must be on this machine")
    build_besides(default_cache(), FAKE_NODES)
    try:
        return cluster_environment()
    except NoClusterError as error:
        pytest.fail(str(error), pytrace=False)


def run(environment: Mapping[str, str], results: Path, *arguments: str) -> dict[str, Any]:
    """Run it to its end; the figures of its last line."""
    command = [sys.executable, "-m", "benchmarks.operator", "--resources", str(RESOURCES), *arguments]
    done = subprocess.run(
        [*command, "--results", str(results)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def leftovers(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    return Kubectl(environment, "default").list("namespaces,nodes", "-l", LABEL)


def test_nothing_is_lost_or_doubled_and_nothing_is_left(environment: Mapping[str, str], tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    figures = run(environment, results, "--more", "10", "--idle", "3")
    assert (figures["n"], figures["succeeded"], figures["jobs"]) == (RESOURCES, RESOURCES, RESOURCES)
    assert figures["requests_per_resource"]["create jobs"] == 1
    assert figures["writes_per_resource"] >= 2, "a Job and a status at the least"
    assert figures["idle_writes"] == 0
    assert 0 < figures["apply_to_job_p50_ms"] <= figures["apply_to_job_p99_ms"] < 60_000
    assert 0 < figures["operator_rss_mb"] <= figures["operator_peak_rss_mb"]
    assert 0 < figures["restart_s"] < 60
    assert figures.items() <= json.loads(results.read_text()).items()
    assert leftovers(environment) == []


def test_pods_that_run_on_are_asked_for_their_progress(environment: Mapping[str, str], tmp_path: Path) -> None:
    figures = run(environment, tmp_path / "results.jsonl", "--running", "15")
    assert (figures["n"], figures["running"]) == (RESOURCES, RESOURCES)
    assert figures["each_per_s"]["logs pods"] > 0
    assert figures["each_per_s"]["patch splatcompressions"] > 0, "its progress is in the status"
    assert leftovers(environment) == []
