"""Which edit of a failed resource runs it again, for every reason that a failure may have."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import resource
from splat_operator.decide.policies.rerun import retry_on, wants_another_run
from splat_operator.runtime.metrics import KNOWN_REASONS

SCHEDULING: dict[str, dict[str, Any]] = {
    "resources": {"resources": {"limits": {"memory": "32Gi"}}},
    "podTemplate": {"podTemplate": {"spec": {"hostname": "a"}}},
    "serviceAccountName": {"serviceAccountName": "writer"},
    "nodeSelector": {"nodeSelector": {"pool": "gpu"}},
    "gpu": {"gpu": {"count": 0}},
    "queueName": {"queueName": "gpus"},
    "parallelism": {"parallelism": 2},
}
ACTIVE, PENDING = "activeDeadlineSeconds", "pendingDeadlineSeconds"
OTHERS: dict[str, dict[str, Any]] = {
    ACTIVE: {"activeDeadlineSeconds": 7200},
    PENDING: {"pendingDeadlineSeconds": 7200},
    "retries": {"retries": 9},
    "ttlSecondsAfterFinished": {"ttlSecondsAfterFinished": 60},
    "cache": {"cache": "Ignore"},
    "deletionPolicy": {"deletionPolicy": "Delete"},
    "suspend": {"suspend": True},
}
EDITS = {**SCHEDULING, **OTHERS}

NO_FAILURES = {"Succeeded", "CacheHit"}
OF_NO_JOB = {"NotAllowed", "PodNotRestricted", "InvalidPodTemplate", "InvalidJob", "StatusRefused", "InternalError"}
"""Nothing has run: they are judged anew with each edit, and for some with each pass."""
OF_THE_OUTPUT = {"Usage", "BadInput", "SourceMissing", "QualityGate"}
OF_WAITING = {
    *("NoPod", "WaitingForPod", "Starting", "Unschedulable", "SchedulingGated", "ImagePullBackOff"),
    *("CreateContainerError", "RunContainerError", "CrashLoopBackOff", "InitContainerWaiting"),
}
FAILURES = sorted(KNOWN_REASONS - NO_FAILURES - OF_NO_JOB)


def helpful(reason: str) -> set[str]:
    """The edits that run a failure of that reason again; those of the output do in any case."""
    if reason in OF_THE_OUTPUT:
        return set()
    if reason == "Configuration":
        return set(EDITS)
    deadline = {ACTIVE} if reason == "DeadlineExceeded" else {PENDING} if reason in OF_WAITING else set()
    return {*SCHEDULING, *deadline}


@pytest.mark.parametrize("reason", FAILURES)
def test_an_edit_runs_again_what_it_may_help(reason: str) -> None:
    status = {"observedGeneration": 1, "retryOn": retry_on(reason, resource().spec)}
    found = {
        name
        for name, edit in EDITS.items()
        if wants_another_run(status, reason=reason, spec=resource(**edit).spec, generation=2)
    }
    assert found == helpful(reason)


def test_every_reason_has_its_place() -> None:
    assert {*NO_FAILURES, *OF_NO_JOB, *OF_THE_OUTPUT, *OF_WAITING} <= KNOWN_REASONS


@pytest.mark.parametrize("reason", FAILURES)
def test_nothing_runs_again_without_an_edit(reason: str) -> None:
    """An upgrade that makes other defaults, or hashes otherwise, edits nothing."""
    status = {"observedGeneration": 1, "retryOn": "0123456789"}
    assert not wants_another_run(status, reason=reason, spec=resource().spec, generation=1)


def test_a_status_of_an_earlier_version_is_left_as_it_is() -> None:
    edited = resource(resources={"limits": {"memory": "32Gi"}}).spec
    assert not wants_another_run({"observedGeneration": 1}, reason="OOMKilled", spec=edited, generation=2)


def test_a_reason_that_nobody_knows_is_helped_by_another_place() -> None:
    """A device plugin names its reason as it likes; what the status has of it is a word."""
    status = {"observedGeneration": 1, "retryOn": retry_on("OutOfnvidia.com/gpu", resource().spec)}
    edited = resource(nodeSelector={"pool": "gpu"}).spec
    assert wants_another_run(status, reason="OutOfnvidia_com_gpu", spec=edited, generation=2)
    assert not wants_another_run(status, reason="OutOfnvidia_com_gpu", spec=resource(retries=9).spec, generation=2)
