"""One look at the cluster, one decision: a table for each kind of look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from compressions import (
    NOW,
    RESULT,
    SETTINGS,
    after,
    at,
    condition,
    decide,
    events,
    failed_pod,
    job,
    name_of,
    observed,
    of_type,
    pod,
    resource,
    running_pod,
    said,
    succeeded_pod,
    unschedulable_pod,
    waiting_pod,
    written,
)
from splat_operator.api.model import (
    Container,
    CountFinish,
    CountWait,
    CreateJob,
    DeleteJob,
    EmitEvent,
    Observed,
    PatchJob,
    Pod,
    Progress,
    Requeue,
    Resource,
    WriteStatus,
)
from splat_operator.api.names import ANNOTATION_SUSPENDED

WORDS = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
MISSING = waiting_pod("CreateContainerConfigError", 'secret "s3-credentials" not found')
FIRST_ATTEMPT = {"pod": "a", "reason": "IOError", "message": "Broken.", "time": "2026-01-01T11:00:00Z"}
MARK = {ANNOTATION_SUSPENDED: "true"}


def test_first_look_creates_the_job_and_says_so() -> None:
    actions = decide(observed())
    (created,) = of_type(actions, CreateJob)
    status = written(actions)
    assert created.manifest["metadata"]["name"] == status["jobName"] == name_of(resource())
    assert status["phase"] == "Pending"
    assert condition(status, "Reconciling")["status"] == "True"
    assert status["observedGeneration"] == 1
    assert events(actions) == [("Normal", "JobCreated")]


def test_order_is_jobs_then_status_then_events() -> None:
    kinds = [type(action) for action in decide(observed())]
    assert kinds == [CreateJob, WriteStatus, EmitEvent, Requeue]


@pytest.mark.parametrize("queue", [None, "default"])
def test_a_job_that_comes_out_suspended_is_seen_at_once(queue: str | None) -> None:
    """As Kueue's webhook may have it; no watch tells of what the operator has made itself."""
    first = observed()
    assert of_type(decide(first), Requeue) == [Requeue(0)]
    held = job(started_at=None, is_suspended=True, queue=queue)
    assert written(decide(observed(after(first), jobs=[held])))["phase"] == "Queued"


def test_second_look_at_the_same_things_does_nothing() -> None:
    first = observed(jobs=[job()], pods=[pod()])
    again = observed(after(first), jobs=[job()], pods=[pod()])
    assert [type(action) for action in decide(again)] == [Requeue]


def test_later_look_at_the_same_things_does_nothing() -> None:
    for pods in ([], [pod()], [running_pod()], [unschedulable_pod(WORDS)], [failed_pod(69)], [succeeded_pod()]):
        first = observed(jobs=[job()], pods=pods)
        again = observed(after(first), jobs=[job()], pods=pods)
        assert not [action for action in decide(again, now=at(9)) if not isinstance(action, Requeue)]


def test_resource_being_deleted_is_left_alone() -> None:
    assert decide(observed(replace(resource(), deleted_at=NOW))) == []


@pytest.mark.parametrize(
    ("pods", "phase", "reason", "wait_s"),
    [
        pytest.param([], "Pending", "WaitingForPod", 5, id="no pod yet"),
        pytest.param([pod()], "Pending", "Starting", 5, id="being made"),
        pytest.param([unschedulable_pod(WORDS)], "Pending", "Unschedulable", None, id="unschedulable"),
        pytest.param([waiting_pod("ErrImagePull", "no")], "Pending", "ImagePullBackOff", None, id="no image"),
        pytest.param([MISSING], "Pending", "Configuration", 20, id="missing Secret"),
        pytest.param([running_pod()], "Running", "Running", None, id="running"),
        pytest.param(
            [replace(failed_pod(128), phase="Running")], "Running", "Finishing", None, id="worker ended, pod not yet"
        ),
        pytest.param([succeeded_pod()], "Running", "Finishing", None, id="ended well, Job not yet"),
        pytest.param([failed_pod(66)], "Running", "Finishing", None, id="ended for good, Job not yet"),
        pytest.param([failed_pod(69)], "Pending", "Retrying", None, id="ended, another attempt to come"),
        pytest.param([failed_pod(69, name=n) for n in "abcd"], "Running", "Finishing", None, id="ended, no retry left"),
        pytest.param(
            [failed_pod(69), running_pod(name="b", created_at=at(9))], "Running", "Running", None, id="second attempt"
        ),
        pytest.param([running_pod(is_deleting=True)], "Pending", "WaitingForPod", 5, id="pod being evicted"),
    ],
)
def test_unfinished_job(pods: list[Pod], phase: str, reason: str, wait_s: float | None) -> None:
    """`wait_s`: after which time alone may change the verdict; for all else there are events."""
    actions = decide(observed(jobs=[job()], pods=pods))
    status = written(actions)
    assert (status["phase"], condition(status, "Ready")["reason"]) == (phase, reason)
    assert of_type(actions, Requeue) == ([] if wait_s is None else [Requeue(wait_s)])
    assert not of_type(actions, (CreateJob, DeleteJob, PatchJob))


QUIET = {
    "success": observed(jobs=[job(is_complete=True, finished_at=at(42))], pods=[succeeded_pod()]),
    "failure": observed(jobs=[job(failure=("PodFailurePolicy", ""), failed_pods=1)], pods=[failed_pod(65)]),
    "suspended": observed(resource(suspend=True), jobs=[job(resource(suspend=True))]),
    "queued": observed(resource(queueName="gpus"), jobs=[job(resource(queueName="gpus"))]),
    "replacing": observed(resource(preview=True), jobs=[job()]),
    "forbidden": observed(resource(podTemplate={"spec": {"hostNetwork": True}})),
    "dry run": observed(resource(dryRun=True)),
}


@pytest.mark.parametrize("seen", QUIET.values(), ids=QUIET)
def test_no_pass_is_asked_for_where_only_an_event_brings_news(seen: Observed) -> None:
    assert not of_type(decide(seen), Requeue)
    assert not of_type(decide(replace(seen, resource=after(seen))), Requeue)


def test_scheduler_is_quoted_in_the_conditions() -> None:
    actions = decide(observed(jobs=[job()], pods=[unschedulable_pod(WORDS)]))
    scheduled = condition(written(actions), "Scheduled")
    assert (scheduled["status"], scheduled["reason"], scheduled["message"]) == ("False", "Unschedulable", WORDS)
    assert WORDS in condition(written(actions), "Ready")["message"]
    assert ("Warning", "Unschedulable") in events(actions)


def test_success() -> None:
    actions = decide(observed(jobs=[job(is_complete=True, finished_at=at(42))], pods=[succeeded_pod()]))
    status = written(actions)
    assert status["phase"] == "Succeeded"
    assert status["outputs"] == RESULT["outputs"]
    assert status["compressionRatio"] == 10.0
    assert (status["startTime"], status["completionTime"]) == ("2026-01-01T12:00:00Z", "2026-01-01T12:00:42Z")
    assert status["duration"] == "42s"
    assert status["progress"]["percent"] == 100
    assert condition(status, "Ready")["status"] == "True"
    assert "s3://scenes/compressed/garden.sog" in condition(status, "Ready")["message"]
    assert of_type(actions, CountFinish) == [CountFinish("Succeeded", "Succeeded")]


def test_success_counts_the_results_scenes_whatever_the_log_has_told() -> None:
    line = Progress(percent=10, stage="read", eta_s=None, scenes_done=0, scenes_total=1)
    pods = [succeeded_pod(json.dumps({**RESULT, "scenes": 3}))]
    actions = decide(observed(jobs=[job(is_complete=True, finished_at=at(42))], pods=pods, progress=line))
    shown = written(actions)["progress"]
    assert shown == {"percent": 100, "stage": "done", "scenesDone": 3, "scenesTotal": 3}


def test_success_without_work() -> None:
    message = json.dumps({**RESULT, "cacheHits": len(RESULT["outputs"])})
    actions = decide(observed(jobs=[job(is_complete=True, finished_at=at(42))], pods=[succeeded_pod(message)]))
    ready = condition(written(actions), "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "CacheHit")
    assert ready["message"].startswith("Nothing to do: s3://scenes/compressed/garden.sog is made from the same")
    assert written(actions)["cacheHits"] == 1
    assert of_type(actions, CountFinish) == [CountFinish("Succeeded", "CacheHit")]


@pytest.mark.parametrize("message", ["", "{"], ids=["none", "broken"])
def test_complete_job_whose_result_cannot_be_read_fails(message: str) -> None:
    status = written(decide(observed(jobs=[job(is_complete=True)], pods=[succeeded_pod(message)])))
    assert (status["phase"], condition(status, "Stalled")["reason"]) == ("Failed", "ResultMissing")


def test_failure_is_the_workers_sentence() -> None:
    words = "s3://scenes/garden.ply does not exist; upload it."
    failed = job(failure=("PodFailurePolicy", "policy"), failed_pods=1, finished_at=at(42))
    actions = decide(observed(jobs=[failed], pods=[failed_pod(66, said("SourceMissing", words))]))
    status = written(actions)
    assert status["phase"] == "Failed"
    assert condition(status, "Stalled")["message"] == condition(status, "Ready")["message"] == words
    assert status["failures"][0]["exitCode"] == 66
    assert of_type(actions, CountFinish) == [CountFinish("Failed", "SourceMissing")]
    assert ("Warning", "Failed") in events(actions)


@pytest.mark.parametrize(
    ("waiting", "spec", "seconds", "reason"),
    [
        pytest.param(MISSING, {}, 20, "Configuration", id="missing Secret"),
        pytest.param(unschedulable_pod(WORDS), {"pendingDeadlineSeconds": 60}, 60, "Unschedulable", id="unschedulable"),
        pytest.param(
            waiting_pod("ErrImagePull", "no"), {"pendingDeadlineSeconds": 60}, 60, "ImagePullBackOff", id="image"
        ),
    ],
)
def test_waiting_too_long_fails_and_only_then_lets_the_job_go(
    waiting: Pod, spec: Mapping[str, Any], seconds: float, reason: str
) -> None:
    owner = resource(**spec)
    seen = observed(owner, jobs=[job(owner)], pods=[waiting])
    early, late = decide(seen, now=at(seconds - 1)), decide(seen, now=at(seconds))
    assert written(early)["phase"] == "Pending"
    assert early[-1] == Requeue(1)
    assert written(late)["phase"] == "Failed"
    assert condition(written(late), "Stalled")["reason"] == reason
    assert late[-1] == Requeue(0), "no watch tells of the operator's own status"
    # A Job deleted before the outcome stands in the status would be made again by the next pass.
    assert not of_type(late, DeleteJob)
    failed = replace(owner, status=written(late))
    assert of_type(decide(observed(failed, jobs=[job(owner)], pods=[waiting])), DeleteJob)


@pytest.mark.parametrize("pods", [[], [pod()], [running_pod()]], ids=["no pod", "pending", "running"])
def test_suspend_applies_in_place(pods: list[Pod]) -> None:
    actions = decide(observed(resource(suspend=True), jobs=[job()], pods=pods))
    assert of_type(actions, PatchJob) == [PatchJob(name_of(resource()), {"suspend": True}, MARK)]
    assert written(actions)["phase"] == "Suspended"
    assert condition(written(actions), "Reconciling")["status"] == "False"


def test_suspended_from_the_start_is_a_suspended_job() -> None:
    actions = decide(observed(resource(suspend=True)))
    assert of_type(actions, CreateJob)[0].manifest["spec"]["suspend"] is True
    assert written(actions)["phase"] == "Suspended"


def test_resume() -> None:
    actions = decide(observed(jobs=[job(is_suspended=True, is_suspended_by_us=True)]))
    assert of_type(actions, PatchJob) == [
        PatchJob(name_of(resource()), {"suspend": False}, {ANNOTATION_SUSPENDED: None})
    ]
    assert written(actions)["phase"] == "Pending"


def test_progress_is_shown_while_it_runs_and_kept_when_the_log_is_silent() -> None:
    line = Progress(percent=40, stage="encode", eta_s=12, scenes_done=0, scenes_total=1)
    seen = observed(jobs=[job()], pods=[running_pod()], progress=line)
    shown = written(decide(seen))["progress"]
    assert shown == {"percent": 40, "stage": "encode", "etaSeconds": 12, "scenesDone": 0, "scenesTotal": 1}
    silent = observed(after(seen, generation=2), jobs=[job()], pods=[running_pod()])
    assert written(decide(silent))["progress"] == shown


def test_restarted_attempt_warns_once() -> None:
    seen = observed(jobs=[job()], pods=[failed_pod(69, said("ServiceUnavailable", "S3 is down."))])
    assert ("Warning", "AttemptFailed") in events(decide(seen))
    assert events(decide(observed(after(seen), jobs=seen.jobs, pods=seen.pods))) == []


@pytest.mark.parametrize(
    ("managed_by", "name", "acts"),
    [
        (None, "splats.dev/splat-operator", True),
        ("splats.dev/splat-operator", "splats.dev/splat-operator", True),
        ("a.example/b", "splats.dev/splat-operator", False),
        (None, "a.example/b", False),
        ("a.example/b", "a.example/b", True),
    ],
)
def test_only_the_named_controller_acts(managed_by: str | None, name: str, acts: bool) -> None:
    actions = decide(observed(resource(managedBy=managed_by)), settings=replace(SETTINGS, controller_name=name))
    assert bool(actions) == acts


def test_job_deleted_by_hand_is_made_again_and_told() -> None:
    running = after(observed(jobs=[job()], pods=[running_pod()]))
    actions = decide(observed(running))
    assert of_type(actions, CreateJob)
    assert events(actions) == [("Normal", "Recreated")]


def test_job_of_an_earlier_resource_of_that_name_goes_first() -> None:
    orphan = job(name="garden-0123456789", uid="other")
    actions = decide(replace(observed(), orphans=(orphan,)))
    assert of_type(actions, DeleteJob) == [DeleteJob("garden-0123456789", "other")]
    assert not of_type(actions, CreateJob)


@pytest.mark.parametrize(
    ("owner", "pods", "seconds"),
    [
        pytest.param(
            resource(), [pod(phase="Running", container=Container(started_at=at(30)))], [30.0], id="GPU was taken"
        ),
        pytest.param(resource(), [pod()], [], id="still waits"),
        pytest.param(resource(status={"phase": "Running"}), [running_pod()], [], id="counted before"),
        pytest.param(resource(status={"failures": [FIRST_ATTEMPT]}), [running_pod()], [], id="second attempt"),
    ],
)
def test_wait_for_the_first_pod_is_counted_once(owner: Resource, pods: list[Pod], seconds: list[float]) -> None:
    status = {"phase": "Pending", **owner.status}
    actions = decide(observed(replace(owner, status=status), jobs=[job(owner)], pods=pods))
    assert [each.seconds for each in of_type(actions, CountWait)] == seconds
