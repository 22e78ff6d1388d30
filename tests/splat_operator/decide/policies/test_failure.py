"""Why a pod or a Job failed, in words for the user."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compressions import at, failed_pod, job, pod, running_pod, said, succeeded_pod
from splat_operator.api.model import Pod
from splat_operator.decide.policies.failure import failures, job_cause, last_failed, pod_cause

DISRUPTED = ("PreemptionByScheduler", "preempting to accommodate a higher priority pod")


@pytest.mark.parametrize(
    ("failed", "reason", "words"),
    [
        pytest.param(
            failed_pod(66, said("SourceMissing", "It is not there.")),
            "SourceMissing",
            "It is not there.",
            id="worker's words",
        ),
        pytest.param(failed_pod(77), "NotPermitted", "code 77", id="known exit code"),
        pytest.param(failed_pod(1, "Traceback"), "Error", "kubectl logs garden-x", id="unknown exit code"),
        pytest.param(failed_pod(137, exit_reason="OOMKilled"), "OOMKilled", "spec.resources.limits.memory", id="oom"),
        pytest.param(
            failed_pod(128, 'exec: "sogs-worker":\n not found', exit_reason="StartError"),
            "StartError",
            'exec: "sogs-worker": not found; check spec.image',
            id="start error",
        ),
        pytest.param(
            pod(phase="Failed", reason="Evicted", message="The node was low on memory. "),
            "Evicted",
            "The node was low on memory.",
            id="evicted",
        ),
        pytest.param(
            pod(phase="Failed", reason="UnexpectedAdmissionError", message="no GPU left"),
            "UnexpectedAdmissionError",
            "no GPU left",
            id="never started",
        ),
        pytest.param(
            failed_pod(75, said("Interrupted", "Told to stop."), disruption=DISRUPTED),
            "PreemptionByScheduler",
            "higher priority",
            id="disrupted",
        ),
        pytest.param(pod(phase="Failed"), "PodFailed", "garden-x failed", id="no word at all"),
    ],
)
def test_pod_cause(failed: Pod, reason: str, words: str) -> None:
    cause = pod_cause(failed)
    assert cause.reason == reason
    assert words in cause.message


def test_job_cause_is_the_last_pods() -> None:
    pods = [
        failed_pod(69, said("ServiceUnavailable", "Second."), name="b", created_at=at(10)),
        failed_pod(74, said("IOError", "First."), name="a", created_at=at(0)),
    ]
    cause = job_cause(job(failure=("BackoffLimitExceeded", "too many"), failed_pods=2), pods)
    assert (cause.reason, cause.message) == ("ServiceUnavailable", "Second. All 2 attempts failed.")


def test_job_cause_of_a_single_attempt_counts_none() -> None:
    cause = job_cause(
        job(failure=("PodFailurePolicy", ""), failed_pods=1), [failed_pod(65, said("BadInput", "No PLY."))]
    )
    assert cause.message == "No PLY."


def test_job_cause_of_the_deadline_names_the_field() -> None:
    late = job(failure=("DeadlineExceeded", "Job was active longer"), active_deadline_s=60)
    cause = job_cause(late, [failed_pod(75, said("Interrupted", "Told to stop."))])
    assert cause.reason == "DeadlineExceeded"
    assert "spec.activeDeadlineSeconds (60 s)" in cause.message


def test_job_cause_without_pods_is_the_jobs_own() -> None:
    cause = job_cause(job(failure=("BackoffLimitExceeded", "It has reached the limit")), [])
    assert cause.reason == "BackoffLimitExceeded"
    assert "It has reached the limit." in cause.message


def test_last_failed_passes_over_the_living() -> None:
    assert last_failed([running_pod(), succeeded_pod()]) is None
    assert last_failed([failed_pod(1, name="a"), running_pod(created_at=at(1))]).name == "a"  # type: ignore[union-attr]


def test_failures_keep_the_last_five_in_order() -> None:
    pods = [failed_pod(69, name=f"pod-{number}", created_at=at(number)) for number in (6, 2, 4, 3, 5, 1)]
    assert [entry["pod"] for entry in failures([], pods)] == ["pod-2", "pod-3", "pod-4", "pod-5", "pod-6"]


def test_failures_of_one_moment_are_in_the_order_of_their_names() -> None:
    """Any other order would be another status with each look."""
    pods = [failed_pod(69, name=name) for name in "cabedf"]
    first = failures([], pods)
    assert [entry["pod"] for entry in first] == ["b", "c", "d", "e", "f"]
    assert failures(first, reversed(pods)) == first


def test_what_was_cut_does_not_come_back() -> None:
    """Records and pods are put in order together: a pod that is older than all that is recorded is no news."""
    recorded = failures([], [_ended(name, seconds) for seconds, name in enumerate("bcdef")])
    assert failures(recorded, [_ended("a", -1)]) == recorded
    assert [entry["pod"] for entry in failures(recorded, [_ended("z", 9)])] == ["c", "d", "e", "f", "z"]


def _ended(name: str, seconds: float) -> Pod:
    ended = failed_pod(69, name=name)
    return replace(ended, container=replace(ended.container, finished_at=at(seconds)))


def test_failures_of_pods_that_are_gone_are_kept() -> None:
    before = failures([], [failed_pod(69, name="gone")])
    after = failures(before, [failed_pod(74, name="here", created_at=at(9))])
    assert [entry["pod"] for entry in after] == ["gone", "here"]
    assert failures(after, [failed_pod(74, name="here", created_at=at(9))]) == after


def test_pod_that_was_deleted_is_no_failure_unless_it_was_disrupted() -> None:
    stopped = failed_pod(75, said("Interrupted", "Told to stop."), is_deleting=True)
    evicted = replace(stopped, disruption=DISRUPTED)
    assert (failures([], [stopped]), last_failed([stopped])) == ([], None)
    assert failures([], [evicted])[0]["reason"] == "PreemptionByScheduler"


def test_failure_entry() -> None:
    (entry,) = failures([], [failed_pod(66, said("SourceMissing", "It is not there."))])
    assert entry == {
        "pod": "garden-x",
        "reason": "SourceMissing",
        "exitCode": 66,
        "message": "It is not there.",
        "time": "2026-01-01T12:00:42Z",
    }


def test_failure_entry_of_a_pod_that_never_started_has_no_exit_code() -> None:
    (entry,) = failures([], [pod(phase="Failed", reason="Evicted", message="x")])
    assert "exitCode" not in entry
