"""Under Kueue, whose part the tests play: what it does to a Job is never undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]

FLAVOR = {"kubernetes.io/os": "linux"}
"""What Kueue adds to the pods' nodeSelector when it admits a Job."""
ADMISSION = {"spec": {"suspend": False, "template": {"spec": {"nodeSelector": FLAVOR}}}}


def test_a_run_waits_for_its_admission_and_keeps_what_kueue_adds(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene), queueName="scenes"))
    name = kubectl.finish("garden", "Queued")["status"]["jobName"]
    job = kubectl.get("job", name)
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "scenes"
    assert job["spec"]["suspend"] is True
    assert "queue scenes" in kubectl.run("describe", "splat", "garden")

    kubectl.patch("splat", "garden", {"spec": {"suspend": True}})
    kubectl.finish("garden", "Suspended")
    kubectl.wait("job", name, "delete")
    kubectl.patch("splat", "garden", {"spec": {"suspend": False}})
    kubectl.finish("garden", "Queued")
    assert kubectl.list("pods") == []

    kubectl.patch("job", name, ADMISSION)
    kubectl.finish("garden")
    assert kubectl.get("job", name)["spec"]["template"]["spec"]["nodeSelector"] == FLAVOR
    (pod,) = kubectl.list("pods")
    assert pod["spec"]["nodeSelector"] == FLAVOR


def test_a_preempted_run_is_queued_again_and_has_not_failed(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, endless_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", endless_scene), queueName="scenes", retries=0))
    name = kubectl.finish("garden", "Queued")["status"]["jobName"]
    kubectl.patch("job", name, ADMISSION)
    kubectl.finish("garden", "Running")
    kubectl.patch("job", name, {"spec": {"suspend": True}})
    kubectl.finish("garden", "Queued")
    kubectl.run("wait", "pods", "--all", "--for=delete", "--timeout=60s")
    assert bucket.names() == {"garden.ply"}

    bucket.put("garden.ply", small_scene)  # the next run need not be long
    kubectl.patch("job", name, {"spec": {"suspend": False}})
    status = kubectl.finish("garden")["status"]
    assert (status["jobName"], status.get("failures", [])) == (name, [])
    assert kubectl.reasons("garden")["Queued"] == 2
