"""What an administrator gives to resources that leave it out, and what their runs cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl
from local_operator import LocalOperator, series

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]


def test_a_resource_of_two_uris_runs_by_the_defaults_and_has_a_price(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    whole = compression("garden", bucket.put("garden.ply", small_scene))
    s3, requests = whole["spec"].pop("s3"), {"cpu": "20m", "memory": "64Mi"}
    given = {"s3": s3, "resources": {"requests": requests}, "scratch": {"size": "1Gi"}}
    prices = {
        "SPLATS_GPU_HOUR_PRICES": '{"nvidia.com/gpu": 3600}',
        "SPLATS_CURRENCY": "EUR",
        "SPLATS_COST_LABEL": "team",
    }
    with LocalOperator(kubectl, tmp_path, SPLATS_WORKER_DEFAULTS=json.dumps(given), **prices) as operator:
        whole["metadata"]["labels"] = {"team": "scans"}
        whole["spec"]["managedBy"] = operator.controller
        kubectl.apply(whole)
        status = kubectl.finish("garden")["status"]
        (pod,) = kubectl.list("pods", "--selector=splats.dev/compression=garden")
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["requests"] == {**requests, "nvidia.com/gpu": "1"}
        assert pod["status"]["qosClass"] == "Burstable"
        assert {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}} in pod["spec"]["volumes"]

        # A euro a second, of which the kubelet tells whole ones.
        assert status["cost"] == {"amount": status["gpuSeconds"], "currency": "EUR"}
        labels = {"namespace": kubectl.namespace, "label": "scans"}
        operator.wait_for(
            "The counter", lambda: series("splat_compression_gpu_seconds_total", **labels) in operator.metrics()
        )
        counted = operator.metrics()
        assert counted[series("splat_compression_gpu_seconds_total", **labels)] == status["gpuSeconds"]
        assert counted[series("splat_compression_cost_total", **labels, currency="EUR")] == status["gpuSeconds"]
