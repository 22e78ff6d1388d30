"""What an administrator does not allow is refused in a sentence before anything runs, and runs once it is allowed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl
from local_operator import LocalOperator

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]


def test_only_what_is_allowed_runs(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    allowed_source = bucket.put("allowed/garden.ply", small_scene)
    other_source = bucket.put("allowed-not/garden.ply", small_scene)
    endpoint = kubectl.environment["S3_ENDPOINT_IN_CLUSTER"]
    limits = {
        "SPLATS_ALLOWED_SOURCES": f"{bucket.uri('allowed/')},pvc://",
        "SPLATS_ALLOWED_DESTINATIONS": f"{bucket.uri('out/')}",
        "SPLATS_ALLOWED_ENDPOINTS": f"aws,{endpoint}",
    }
    with LocalOperator(kubectl, tmp_path, **limits) as operator:
        mine = {"managedBy": operator.controller, "gpu": {"count": 0}}
        elsewhere = {**compression("any", allowed_source)["spec"]["s3"], "endpoint": "http://s3.elsewhere:8333"}
        kubectl.apply(compression("source", other_source, **mine))
        kubectl.apply(compression("destination", allowed_source, destination={"uri": bucket.uri("mine/")}, **mine))
        kubectl.apply(compression("endpoint", allowed_source, s3=elsewhere, **mine))
        kubectl.apply(compression("allowed", allowed_source, **mine))
        kubectl.finish("allowed")
        refusals = {
            "source": f"spec.source.uri {other_source} is not allowed here: it must be below "
            f"{bucket.uri('allowed/')} or pvc://",
            "destination": f"spec.destination.uri {bucket.uri('mine/')} is not allowed here: it must be below "
            f"{bucket.uri('out/')}",
            "endpoint": "http://s3.elsewhere:8333",
        }
        for name, words in refusals.items():
            _assert_refused(kubectl.finish(name, "Failed"), words)
        (job,) = kubectl.list("jobs")
        assert job["metadata"]["labels"]["splats.dev/compression"] == "allowed"

    with LocalOperator(kubectl, tmp_path):
        for name in ("source", "destination"):
            assert "jobName" in kubectl.finish(name)["status"]
    assert "mine/garden.sog" in bucket.names()


def _assert_refused(resource: dict[str, Any], words: str) -> None:
    ready = next(each for each in resource["status"]["conditions"] if each["type"] == "Ready")
    assert ready["reason"] == "NotAllowed"
    assert words in ready["message"]
    assert ready["message"].endswith("; correct it or ask the cluster's administrator.")
    assert "jobName" not in resource["status"]
