"""What the cluster does to a run is told where a user looks, with the remedy; disturbances are no failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl, condition

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]


def apply_quota(kubectl: Kubectl, resource: str) -> None:
    """Forbid a resource in the namespace, from now on."""
    quota = {"metadata": {"name": "tight"}, "spec": {"hard": {resource: "0"}}}
    kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    kubectl.wait("resourcequota", "tight", "jsonpath={.status.hard}")


ENDS = {
    "DeadlineExceeded": ({"activeDeadlineSeconds": 3}, "spec.activeDeadlineSeconds (3 s); raise it"),
    "OOMKilled": ({"resources": {"limits": {"memory": "64Mi"}}}, "raise spec.resources.limits.memory"),
}


@pytest.mark.parametrize("reason", ENDS)
def test_a_limit_that_ends_the_run_is_named(
    reason: str, kubectl: Kubectl, bucket: Bucket, compression: Build, large_scene: Path
) -> None:
    spec, words = ENDS[reason]
    kubectl.apply(compression("garden", bucket.put("garden.ply", large_scene), retries=0, **spec))
    stalled = condition(kubectl.finish("garden", "Failed"), "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", reason)
    assert words in stalled["message"]
    assert stalled["message"] in kubectl.run("describe", "splat", "garden")
    assert bucket.names() == {"garden.ply"}


OBSTACLES: dict[str, tuple[dict[str, Any], str]] = {
    "ImagePullBackOff": ({"image": "localhost/nowhere:1", "imagePullPolicy": "Always"}, "localhost/nowhere:1"),
    "Unschedulable": ({"gpu": {"resourceName": "example.com/none"}}, "No node of this cluster has example.com/none"),
}


@pytest.mark.parametrize("reason", OBSTACLES)
def test_an_obstacle_is_told_while_it_lasts(reason: str, kubectl: Kubectl, bucket: Bucket, compression: Build) -> None:
    spec, words = OBSTACLES[reason]
    kubectl.apply(compression("garden", bucket.uri("garden.ply"), **spec))
    resource = kubectl.wait_for_reason("garden", reason)
    ready = condition(resource)
    assert resource["status"]["phase"] == "Pending"
    assert words in ready["message"]
    assert ready["message"] in kubectl.run("describe", "splat", "garden")
    assert kubectl.reasons("garden")[reason] == 1


@pytest.mark.quick_worker
def test_a_quota_that_forbids_jobs_is_named_and_the_run_begins_when_it_gives_way(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    apply_quota(kubectl, "count/jobs.batch")
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene)))
    ready = condition(kubectl.wait_for_reason("garden", "JobRefused"))
    assert "exceeded quota: tight" in ready["message"]
    assert ready["message"] in kubectl.run("describe", "splat", "garden")
    kubectl.delete("resourcequota", "tight")
    kubectl.finish("garden")


def test_a_quota_that_forbids_pods_is_named(kubectl: Kubectl, bucket: Bucket, compression: Build) -> None:
    apply_quota(kubectl, "pods")
    kubectl.apply(compression("garden", bucket.uri("garden.ply")))
    kubectl.wait_for_reason("garden", "NoPod")
    ready = condition(kubectl.wait_for_words("garden", "exceeded quota: tight"))
    assert ready["message"] in kubectl.run("describe", "splat", "garden")


@pytest.mark.quick_worker
def test_an_evicted_pod_uses_up_no_retry(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, endless_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", endless_scene), retries=0))
    kubectl.finish("garden", "Running")
    (pod,) = kubectl.list("pods")
    name = pod["metadata"]["name"]
    kubectl.evict(name)
    kubectl.wait("pod", name, "delete")
    bucket.put("garden.ply", small_scene)  # the next attempt need not be long
    (failure,) = kubectl.finish("garden")["status"]["failures"]
    assert (failure["pod"], failure["reason"]) == (name, "EvictionByEvictionAPI")
    assert "ended from outside" in failure["message"]


def test_a_failure_that_may_pass_is_tried_again_and_told_each_time(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    """The image of the tests lacks the packages of the engine sogs: exit code 81, after which another node may do."""
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, encoder={"engine": "sogs"}, retries=1))
    status = kubectl.finish("garden", "Failed")["status"]
    assert [failure["exitCode"] for failure in status["failures"]] == [81, 81]
    assert len({failure["pod"] for failure in status["failures"]}) == 2
    assert "All 2 attempts failed." in condition({"status": status}, "Stalled")["message"]
    assert kubectl.reasons("garden")["AttemptFailed"] == 1


def test_a_pod_that_the_kubelet_evicted_is_told_in_its_words(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    """The kubelet's part is played on a pod that has no node: the embedded one evicts nothing."""
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, gpu={"count": 99}, retries=0))
    kubectl.wait("splat", "garden", "condition=Scheduled=false")
    (pod,) = kubectl.list("pods")
    words = "The node was low on resource: ephemeral-storage."
    status = {"status": {"phase": "Failed", "reason": "Evicted", "message": words}}
    kubectl.run(
        "patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge", "-p", json.dumps(status)
    )
    stalled = condition(kubectl.finish("garden", "Failed"), "Stalled")
    assert stalled["reason"] == "Evicted"
    assert words.rstrip(".") in stalled["message"]
    assert stalled["message"] in kubectl.run("describe", "splat", "garden")
