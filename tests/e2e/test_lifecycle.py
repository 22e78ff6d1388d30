"""What a resource goes through beside the plain run: lost Jobs, edits while it runs, dry runs, other controllers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl, condition

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]

UNMOUNTABLE = {"spec": {"containers": [{"name": "worker", "volumeMounts": [{"name": "absent", "mountPath": "/a"}]}]}}
"""A podTemplate that makes Jobs which the API server finds invalid."""


def test_a_job_that_is_deleted_by_hand_while_it_runs_is_made_again(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, endless_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", endless_scene)))
    name = kubectl.finish("garden", "Running")["status"]["jobName"]
    before = kubectl.get("job", name)["metadata"]["uid"]
    (pod,) = kubectl.list("pods")
    kubectl.delete("job", name)
    kubectl.wait("pod", pod["metadata"]["name"], "delete")
    bucket.put("garden.ply", small_scene)  # the next run need not be long
    status = kubectl.finish("garden")["status"]
    assert (status["jobName"], status["inputBytes"]) == (name, small_scene.stat().st_size)
    assert kubectl.get("job", name)["metadata"]["uid"] != before
    assert kubectl.reasons("garden")["Recreated"] == 1


def test_a_finished_job_goes_by_its_ttl_and_is_not_made_again(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene), ttlSecondsAfterFinished=0))
    status = kubectl.finish("garden")["status"]
    kubectl.wait("job", status["jobName"], "delete")
    kubectl.patch("splat", "garden", {"spec": {"retries": 5}})
    kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=2")
    after = kubectl.get("splat", "garden")["status"]
    assert (after["phase"], after["outputs"]) == ("Succeeded", status["outputs"])
    assert kubectl.list("jobs") == []
    assert kubectl.reasons("garden")["JobCreated"] == 1


def test_an_edit_while_it_runs_ends_that_run_and_only_the_new_output_appears(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, endless_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", endless_scene)))
    first = kubectl.finish("garden", "Running")["status"]
    edited = compression("garden", bucket.put("hall.ply", small_scene), destination={"uri": bucket.uri("new/")})
    kubectl.apply(edited)
    kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=2")
    second = kubectl.finish("garden")["status"]
    assert bucket.names() == {"garden.ply", "hall.ply", "new/hall.sog", "new/garden.manifest.json"}
    assert second["jobName"] != first["jobName"]
    assert [job["metadata"]["name"] for job in kubectl.list("jobs")] == [second["jobName"]]
    assert "failures" not in second


def test_suspend_stops_the_pod_and_resume_finishes(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, endless_scene: Path
) -> None:
    source = bucket.put("garden.ply", endless_scene)
    kubectl.apply(compression("garden", source))
    kubectl.finish("garden", "Running")
    kubectl.patch("splat", "garden", {"spec": {"suspend": True}})
    kubectl.finish("garden", "Suspended")
    kubectl.run("wait", "pods", "--all", "--for=delete", "--timeout=60s")
    assert bucket.names() == {"garden.ply"}
    bucket.put("garden.ply", small_scene)  # the next run need not be long
    kubectl.patch("splat", "garden", {"spec": {"suspend": False}})
    assert kubectl.finish("garden")["status"].get("failures", []) == []


def test_a_dry_run_tells_what_would_be_run_and_the_run_follows_when_it_is_lifted(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, dryRun=True, deletionPolicy="Delete"))
    resource = kubectl.finish("garden")
    ready = condition(resource)
    assert (ready["status"], ready["reason"]) == ("True", "DryRun")
    for words in ("1 nvidia.com/gpu", source, bucket.uri("out/"), "splat-worker"):
        assert words in ready["message"]
    assert ready["message"] in kubectl.run("describe", "splat", "garden")
    assert (kubectl.list("jobs"), kubectl.list("pods")) == ([], [])

    kubectl.patch("splat", "garden", {"spec": {"dryRun": False}})
    kubectl.wait_for_reason("garden", "Succeeded")
    assert "out/garden.sog" in bucket.names()


def test_a_job_that_the_api_server_finds_invalid_is_explained_by_a_dry_run_too(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    for name, is_dry in (("dry", True), ("garden", False)):
        kubectl.apply(compression(name, source, dryRun=is_dry, podTemplate=UNMOUNTABLE))
        stalled = condition(kubectl.finish(name, "Failed"), "Stalled")
        assert (stalled["status"], stalled["reason"]) == ("True", "InvalidJob")
        assert 'Not found: "absent"' in stalled["message"]
        assert stalled["message"] in kubectl.run("describe", "splat", name)
    assert kubectl.list("jobs") == []

    kubectl.patch("splat", "garden", {"spec": {"podTemplate": None}})
    kubectl.finish("garden")


def test_a_resource_of_another_controller_is_left_alone(kubectl: Kubectl, bucket: Bucket, compression: Build) -> None:
    source = bucket.uri("garden.ply")
    kubectl.apply(compression("theirs", source, managedBy="example.com/ours", deletionPolicy="Delete"))
    kubectl.apply(compression("ours", source, dryRun=True))
    kubectl.finish("ours")
    theirs = kubectl.get("splat", "theirs")
    assert "phase" not in theirs["status"]
    assert "finalizers" not in theirs["metadata"]
