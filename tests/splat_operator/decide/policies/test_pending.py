"""What keeps a pod from running, and when that ends the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from compressions import (
    NOW,
    SETTINGS,
    at,
    failed_pod,
    job,
    observed,
    pod,
    resource,
    running_pod,
    unschedulable_pod,
    waiting_pod,
)
from splat_operator.api.model import Container, Pod
from splat_operator.decide.policies.pending import Obstacle, current_pod, obstacle

WORDS = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
MISSING = 'secret "s3-credentials" not found'
NO_KEY = "couldn't find key AWS_ACCESS_KEY_ID in Secret default/s3-credentials"


def test_job_that_may_make_no_pod_is_explained_in_the_servers_words() -> None:
    words = 'pods "garden-x" is forbidden: exceeded quota: gpus'
    seen = replace(observed(), pod_refusal=words)
    assert words in obstacle(seen, job(), [], settings=SETTINGS, now=at(60)).message


def ask(
    pods: Sequence[Pod],
    *,
    now: datetime = NOW,
    failed_pods: int = 0,
    has_gpu_nodes: bool | None = None,
    **spec: Any,
) -> Obstacle:
    seen = replace(observed(resource(**spec)), has_gpu_nodes=has_gpu_nodes)
    return obstacle(seen, job(seen.resource, failed_pods=failed_pods), pods, settings=SETTINGS, now=now)


@pytest.mark.parametrize(
    ("waiting", "reason", "words"),
    [
        pytest.param(unschedulable_pod(WORDS), "Unschedulable", WORDS, id="unschedulable"),
        pytest.param(
            waiting_pod("CreateContainerConfigError", MISSING),
            "Configuration",
            f"{MISSING}; create it in namespace default",
            id="missing Secret",
        ),
        pytest.param(
            waiting_pod("CreateContainerConfigError", NO_KEY),
            "Configuration",
            f"{NO_KEY}; add it to the Secret",
            id="missing key",
        ),
        pytest.param(waiting_pod("ErrImagePull", "not found"), "ImagePullBackOff", "not found", id="pull error"),
        pytest.param(waiting_pod("ImagePullBackOff", "Back-off"), "ImagePullBackOff", "Back-off", id="pull back-off"),
        pytest.param(waiting_pod("InvalidImageName"), "ImagePullBackOff", "InvalidImageName", id="bad image name"),
        pytest.param(
            waiting_pod("CreateContainerError", "no such device"),
            "CreateContainerError",
            "no such device",
            id="container error",
        ),
        pytest.param(waiting_pod("ContainerCreating"), "Starting", "garden-x", id="being made"),
        pytest.param(pod(container=Container()), "Starting", "garden-x", id="kubelet silent"),
    ],
)
def test_obstacle(waiting: Pod, reason: str, words: str) -> None:
    found = ask([waiting])
    assert found.reason == reason
    assert words in found.message


@pytest.mark.parametrize(("has_gpu_nodes", "is_said"), [(False, True), (True, False), (None, False)])
def test_a_gpu_that_no_node_has_is_told_from_one_that_is_taken(has_gpu_nodes: bool | None, is_said: bool) -> None:
    found = ask([unschedulable_pod(WORDS)], has_gpu_nodes=has_gpu_nodes)
    assert WORDS in found.message
    assert ("No node of this cluster has nvidia.com/gpu: install its device plugin" in found.message) == is_said


def test_missing_secret_fails_after_the_grace() -> None:
    assert ask([waiting_pod("CreateContainerConfigError", MISSING)]).fails_at == at(20)


@pytest.mark.parametrize(
    "waiting",
    [unschedulable_pod(WORDS), waiting_pod("ImagePullBackOff"), waiting_pod("ContainerCreating")],
    ids=["unschedulable", "image", "being made"],
)
def test_pending_deadline_counts_from_the_pods_creation(waiting: Pod) -> None:
    assert ask([waiting]).fails_at is None
    assert ask([waiting], pendingDeadlineSeconds=60).fails_at == at(60)


def test_pending_deadline_does_not_lengthen_the_grace_of_a_missing_secret() -> None:
    missing = [waiting_pod("CreateContainerConfigError", MISSING)]
    assert ask(missing, pendingDeadlineSeconds=600).fails_at == at(20)


def test_job_without_pod_is_waited_for_and_then_explained() -> None:
    assert ask([]).reason == "WaitingForPod"
    assert ask([]).changes_at == at(10)
    assert "kubectl describe job garden-" in ask([], now=at(10)).message
    assert ask([], pendingDeadlineSeconds=60).fails_at == at(60)


def test_job_that_was_just_resumed_has_its_time_before_it() -> None:
    resumed = job(created_at=at(-9999), started_at=None)
    owner = resource(pendingDeadlineSeconds=60)
    found = obstacle(observed(owner), resumed, [], settings=SETTINGS, now=NOW)
    assert (found.reason, found.fails_at, found.changes_at) == ("WaitingForPod", None, at(10))


def test_job_between_two_attempts_is_no_riddle() -> None:
    assert ask([failed_pod(69)], now=at(60), failed_pods=1).reason == "WaitingForPod"


def test_current_pod_is_the_youngest_that_may_run() -> None:
    pods = [running_pod(name="old"), pod(name="young", created_at=at(5)), failed_pod(1, created_at=at(9))]
    assert current_pod(pods).name == "young"  # type: ignore[union-attr]
    assert current_pod([running_pod(is_deleting=True), failed_pod(1)]) is None
