"""What the operator tells of itself: numbers that are those of the statuses, and whether it still hears the cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from api_proxy import ApiProxy
from bucket import Bucket
from kubectl import Kubectl
from local_operator import LocalOperator, series

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]

IMPATIENT = """
from splat_operator.cluster import watches
from splat_operator.runtime import health
watches.SILENCE_S, watches.MAX_PAUSE_S, health.MAX_SILENCE_S = 2.0, 1.0, 5.0
"""


def _seconds(status: dict[str, Any]) -> float:
    """How long a run took."""
    started, ended = (datetime.fromisoformat(status[name]) for name in ("startTime", "completionTime"))
    return (ended - started).total_seconds()


def test_the_metrics_are_the_numbers_of_the_statuses_and_a_restart_counts_nothing_twice(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)

    def of(name: str, **labels: str) -> float | None:
        return operator.metrics().get(series(name, namespace=kubectl.namespace, **labels))

    def in_all(name: str, **labels: str) -> float | None:
        return operator.metrics().get(series(name, **labels))

    with LocalOperator(kubectl, tmp_path) as operator:
        kubectl.apply(compression("garden", source, managedBy=operator.controller, gpu={"count": 0}))
        kubectl.apply(compression("meadow", bucket.uri("meadow.ply"), managedBy=operator.controller, gpu={"count": 0}))
        succeeded = kubectl.finish("garden")["status"]
        failed = kubectl.finish("meadow", "Failed")["status"]

        operator.wait_for("The gauge", lambda: of("splat_compressions", phase="Failed") == 1)
        assert of("splat_compressions", phase="Succeeded") == 1
        assert of("splat_compressions_finished_total", result="Succeeded", reason="Succeeded") == 1
        assert of("splat_compressions_finished_total", result="Failed", reason="SourceMissing") == 1
        assert of("splat_compression_input_bytes_total") == succeeded["inputBytes"]
        assert of("splat_compression_output_bytes_total") == succeeded["outputBytes"]
        assert of("splat_compression_gpu_seconds_total", label="") == succeeded["gpuSeconds"]
        assert in_all("splat_compression_ratio_count") == 1
        assert in_all("splat_compression_ratio_sum") == succeeded["compressionRatio"]
        for result, status in (("Succeeded", succeeded), ("Failed", failed)):
            assert in_all("splat_compression_duration_seconds_count", result=result) == 1
            assert in_all("splat_compression_duration_seconds_sum", result=result) == _seconds(status)
        assert in_all("splat_compression_queue_wait_seconds_count") == 2
        assert operator.metrics()[series("splat_operator_reconcile_total", result="ok")] > 0
        for kind in ("splatcompressions", "jobs", "pods"):
            assert series("splat_operator_watch_last_event_timestamp_seconds", kind=kind) in operator.metrics()
        assert operator.health()[0] == 200
        assert operator.stop() == 0

        operator.start()
        operator.wait_for("The gauge", lambda: of("splat_compressions", phase="Failed") == 1)
        operator.wait_for("A pass for each", lambda: _passes(operator) >= 2)
        assert of("splat_compressions", phase="Succeeded") == 1
        assert not [name for name, _ in operator.metrics() if name == "splat_compressions_finished_total"]
        assert not [name for name, _ in operator.metrics() if name == "splat_compression_input_bytes_total"]
        kubectl.run("delete", "splat", "meadow")
        operator.wait_for("The gauge", lambda: of("splat_compressions", phase="Failed") is None)


def _passes(operator: LocalOperator) -> float:
    return operator.metrics().get(series("splat_operator_reconcile_total", result="ok"), 0)


def test_health_fails_while_watches_are_silent_and_they_recover_by_themselves(
    environment: dict[str, str], kubectl: Kubectl, compression: Build, bucket: Bucket, tmp_path: Path
) -> None:
    with (
        ApiProxy(environment.get("KUBECONFIG")) as proxy,
        LocalOperator(kubectl, tmp_path, kubeconfig=proxy.kubeconfig(tmp_path), prelude=IMPATIENT) as operator,
    ):
        resource = compression("garden", bucket.uri("garden.ply"), managedBy=operator.controller, gpu={"count": 0})
        kubectl.apply(resource)
        kubectl.finish("garden", "Failed")
        assert operator.health()[0] == 200

        proxy.is_silent = True
        words = [f"The watch of {kind} has heard nothing for 5 s." for kind in ("splatcompressions", "jobs", "pods")]
        operator.wait_for(
            "The failing probe",
            lambda: operator.health()[0] == 500 and all(each in operator.log() for each in words),
        )

        kubectl.apply(resource | {"metadata": {"name": "meadow"}})
        proxy.is_silent = False
        operator.wait_for("Sound watches", lambda: operator.health()[0] == 200)
        kubectl.finish("meadow", "Failed")


def test_probes_and_metrics_are_answered_on_both_families(kubectl: Kubectl, tmp_path: Path) -> None:
    with LocalOperator(kubectl, tmp_path) as operator:
        for host in ("127.0.0.1", "[::1]"):
            for port, path in operator.endpoints.items():
                with urlopen(f"http://{host}:{port}/{path}", timeout=10) as answer:
                    assert answer.status == 200
