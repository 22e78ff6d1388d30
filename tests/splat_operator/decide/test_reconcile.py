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
    Job,
    Observed,
    PatchJob,
    Pod,
    Progress,
    Requeue,
    Resource,
    WriteStatus,
)
from splat_operator.decide.reconcile import refused

WORDS = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
MISSING = waiting_pod("CreateContainerConfigError", 'secret "s3-credentials" not found')


def after(seen: Observed, **changes: Any) -> Resource:
    """The resource as the actions on `seen` leave it."""
    return replace(seen.resource, status=written(decide(seen)), **changes)


def settled(outcome: Pod | None = None) -> Resource:
    """A resource whose run has ended; in success by default."""
    done = job(is_complete=True, finished_at=at(42))
    failed = job(failure=("PodFailurePolicy", ""), failed_pods=1, finished_at=at(42))
    return after(observed(jobs=[failed if outcome else done], pods=[outcome or succeeded_pod()]))


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


def test_second_look_at_the_same_things_does_nothing() -> None:
    first = observed(jobs=[job()], pods=[pod()])
    again = observed(after(first), jobs=[job()], pods=[pod()])
    assert [type(action) for action in decide(again)] == [Requeue]


def test_later_look_at_the_same_things_does_nothing() -> None:
    for pods in ([], [pod()], [running_pod()], [unschedulable_pod(WORDS)], [failed_pod(69)], [succeeded_pod()]):
        first = observed(jobs=[job()], pods=pods)
        again = observed(after(first), jobs=[job()], pods=pods)
        assert [type(action) for action in decide(again, now=at(9))] == [Requeue]


def test_resource_being_deleted_is_left_alone() -> None:
    assert decide(observed(replace(resource(), deleted_at=NOW))) == []


@pytest.mark.parametrize(
    ("pods", "phase", "reason", "requeue_s"),
    [
        pytest.param([], "Pending", "WaitingForPod", 10, id="no pod yet"),
        pytest.param([pod()], "Pending", "Starting", 300, id="being made"),
        pytest.param([unschedulable_pod(WORDS)], "Pending", "Unschedulable", 300, id="unschedulable"),
        pytest.param([waiting_pod("ErrImagePull", "no")], "Pending", "ImagePullBackOff", 300, id="no image"),
        pytest.param([MISSING], "Pending", "Configuration", 20, id="missing Secret"),
        pytest.param([running_pod()], "Running", "Running", 5, id="running"),
        pytest.param(
            [replace(failed_pod(128), phase="Running")], "Running", "Finishing", 5, id="worker ended, pod not yet"
        ),
        pytest.param([succeeded_pod()], "Running", "Finishing", 5, id="ended well, Job not yet"),
        pytest.param([failed_pod(66)], "Running", "Finishing", 5, id="ended for good, Job not yet"),
        pytest.param([failed_pod(69)], "Pending", "Retrying", 5, id="ended, another attempt to come"),
        pytest.param([failed_pod(69, name=n) for n in "abcd"], "Running", "Finishing", 5, id="ended, no retry left"),
        pytest.param(
            [failed_pod(69), running_pod(name="b", created_at=at(9))], "Running", "Running", 5, id="second attempt"
        ),
        pytest.param([running_pod(is_deleting=True)], "Pending", "WaitingForPod", 10, id="pod being evicted"),
    ],
)
def test_unfinished_job(pods: list[Pod], phase: str, reason: str, requeue_s: float) -> None:
    actions = decide(observed(jobs=[job()], pods=pods))
    status = written(actions)
    assert (status["phase"], condition(status, "Ready")["reason"]) == (phase, reason)
    assert actions[-1] == Requeue(requeue_s)
    assert not of_type(actions, (CreateJob, DeleteJob, PatchJob))


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


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ([], "ResultMissing"),
        ([succeeded_pod("")], "ResultMissing"),
        ([succeeded_pod("{")], "ResultMissing"),
        ([succeeded_pod(job_uid="another")], "ResultMissing"),
    ],
    ids=["pod gone", "no message", "broken message", "another Job's pod"],
)
def test_complete_job_without_a_result_fails(pods: list[Pod], reason: str) -> None:
    status = written(decide(observed(jobs=[job(is_complete=True)], pods=pods)))
    assert (status["phase"], condition(status, "Stalled")["reason"]) == ("Failed", reason)


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
    # A Job deleted before the outcome stands in the status would be made again by the next pass.
    assert not of_type(late, DeleteJob)
    failed = replace(owner, status=written(late))
    assert of_type(decide(observed(failed, jobs=[job(owner)], pods=[waiting])), DeleteJob)


@pytest.mark.parametrize("pods", [[], [pod()], [running_pod()]], ids=["no pod", "pending", "running"])
def test_suspend_applies_in_place(pods: list[Pod]) -> None:
    actions = decide(observed(resource(suspend=True), jobs=[job()], pods=pods))
    assert of_type(actions, PatchJob) == [PatchJob(name_of(resource()), {"suspend": True})]
    assert written(actions)["phase"] == "Suspended"
    assert condition(written(actions), "Reconciling")["status"] == "False"


def test_suspended_from_the_start_is_a_suspended_job() -> None:
    actions = decide(observed(resource(suspend=True)))
    assert of_type(actions, CreateJob)[0].manifest["spec"]["suspend"] is True
    assert written(actions)["phase"] == "Suspended"


def test_resume() -> None:
    actions = decide(observed(jobs=[job(is_suspended=True)]))
    assert of_type(actions, PatchJob)[0].fields == {"suspend": False}
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


class TestSettled:
    """The outcome stands in the status: the run is never repeated."""

    def test_nothing_is_done_when_the_job_is_gone(self) -> None:
        assert decide(observed(settled())) == []

    @pytest.mark.parametrize("outcome", [None, failed_pod(65)], ids=["succeeded", "failed"])
    def test_ttl_starts_now(self, outcome: Pod | None) -> None:
        finished = job(is_complete=not outcome, failure=("PodFailurePolicy", "") if outcome else None)
        assert decide(observed(settled(outcome), jobs=[finished])) == [
            PatchJob(finished.name, {"ttlSecondsAfterFinished": 86400})
        ]

    def test_ttl_that_is_right_is_left_alone(self) -> None:
        assert decide(observed(settled(), jobs=[job(is_complete=True, ttl_s=86400)])) == []

    def test_harmless_edit_is_acknowledged(self) -> None:
        edited = replace(resource(status=settled().status, generation=2, retries=9))
        actions = decide(observed(edited))
        assert [type(action) for action in actions] == [WriteStatus]
        status = written(actions)
        assert status["observedGeneration"] == 2
        assert {item["observedGeneration"] for item in status["conditions"]} == {2}
        assert {**status, "observedGeneration": 1, "conditions": None} == {**settled().status, "conditions": None}

    def test_output_edit_runs_again_from_an_empty_status(self) -> None:
        for outcome in (None, failed_pod(65)):
            edited = resource(status=settled(outcome).status, generation=2, preview=True)
            actions = decide(observed(edited))
            assert of_type(actions, CreateJob)
            assert set(written(actions)) == {"observedGeneration", "phase", "conditions", "jobName"}
            assert written(actions)["phase"] == "Pending"

    def test_edit_back_to_an_earlier_spec_runs_again(self) -> None:
        """Another run wrote to the destination meanwhile."""
        other = resource(status=settled().status, generation=2, preview=True)
        back = resource(status=after(observed(other)).status, generation=3)
        assert of_type(decide(observed(back)), CreateJob)


class TestEdit:
    """A change of what decides the output ends the running Job and runs again."""

    edited = resource(generation=2, preview=True)

    def test_earlier_job_is_deleted_first(self) -> None:
        actions = decide(observed(self.edited, jobs=[job()], pods=[running_pod()]))
        assert of_type(actions, DeleteJob) == [DeleteJob(job().name, job().uid)]
        assert not of_type(actions, CreateJob)
        assert condition(written(actions), "Ready")["reason"] == "Replacing"

    def test_job_under_deletion_is_waited_for(self) -> None:
        actions = decide(observed(self.edited, jobs=[job(is_deleting=True)]))
        assert not of_type(actions, (CreateJob, DeleteJob))

    def test_pods_of_the_deleted_job_are_waited_for(self) -> None:
        actions = decide(observed(self.edited, pods=[running_pod(is_deleting=True)]))
        assert not of_type(actions, CreateJob)
        assert "garden-x" in condition(written(actions), "Ready")["message"]

    def test_leftover_job_goes_while_the_right_one_is_followed(self) -> None:
        leftover, right = job(), job(self.edited, uid="right")
        actions = decide(observed(self.edited, jobs=[leftover, right], pods=[running_pod(job_uid="right")]))
        assert of_type(actions, DeleteJob) == [DeleteJob(leftover.name, leftover.uid)]
        assert written(actions)["phase"] == "Running"

    @pytest.mark.parametrize("pods", [[], [failed_pod(75)], [succeeded_pod()]], ids=["gone", "failed", "succeeded"])
    def test_then_the_next_is_made(self, pods: list[Pod]) -> None:
        (created,) = of_type(decide(observed(self.edited, pods=pods)), CreateJob)
        assert created.manifest["metadata"]["name"] == name_of(self.edited) != name_of(resource())


class TestSchedulingEdit:
    """A change of scheduling fields applies to a run that has not started."""

    edited = resource(generation=2, nodeSelector={"pool": "gpu"})
    before = job()

    @pytest.mark.parametrize(
        "pods", [[], [pod()], [unschedulable_pod(WORDS)]], ids=["none", "pending", "unschedulable"]
    )
    def test_job_that_has_not_started_is_made_anew(self, pods: list[Pod]) -> None:
        actions = decide(observed(self.edited, jobs=[self.before], pods=pods))
        assert of_type(actions, DeleteJob) == [DeleteJob(self.before.name, self.before.uid)]
        assert not of_type(actions, CreateJob)

    @pytest.mark.parametrize(
        ("started", "pods"),
        [(before, [running_pod()]), (before, [failed_pod(69)]), (replace(before, failed_pods=1), [])],
        ids=["running", "failed once", "failed pod gone"],
    )
    def test_job_that_has_started_stays(self, started: Job, pods: list[Pod]) -> None:
        assert not of_type(decide(observed(self.edited, jobs=[started], pods=pods)), DeleteJob)


@pytest.mark.parametrize(
    ("code", "phase", "stalled"), [(403, "Pending", "False"), (404, "Pending", "False"), (422, "Failed", "True")]
)
def test_refused_job_is_explained_in_the_servers_words(code: int, phase: str, stalled: str) -> None:
    words = 'jobs.batch "garden" is forbidden: exceeded quota: jobs'
    status = written(refused(observed(), code=code, words=words, is_final=False, now=NOW, settings=SETTINGS))
    assert (status["phase"], condition(status, "Stalled")["status"]) == (phase, stalled)
    assert words in condition(status, "Ready")["message"]
    assert "jobName" not in status, "a refused Job settles nothing"


@pytest.mark.parametrize("code", [403, 422])
def test_refusal_in_the_same_words_is_written_once(code: int) -> None:
    """Another write would be another event, and so another pass, for ever."""
    status = written(refused(observed(), code=code, words="no", is_final=False, now=NOW, settings=SETTINGS))
    assert (
        refused(observed(resource(status=status)), code=code, words="no", is_final=False, now=at(9), settings=SETTINGS)
        == []
    )


def test_refused_job_is_tried_again() -> None:
    status = written(
        refused(observed(), code=422, words="spec.template: Invalid", is_final=False, now=NOW, settings=SETTINGS)
    )
    assert of_type(decide(observed(resource(status=status))), CreateJob)


def test_place_that_is_not_allowed_stalls_and_ends_what_runs() -> None:
    limited = replace(SETTINGS, allowed_sources=("s3://others/",))
    actions = decide(observed(jobs=[job()], pods=[running_pod()]), settings=limited)
    status = written(actions)
    assert of_type(actions, DeleteJob)
    assert condition(status, "Stalled")["reason"] == "NotAllowed"
    assert "spec.source.uri s3://scenes/garden.ply" in condition(status, "Stalled")["message"]
    again = observed(resource(status=status))
    assert decide(again, now=at(9), settings=limited) == [], "what is written again makes another pass, for ever"
    assert of_type(decide(again), CreateJob), "when the administrator allows it, it runs"


def test_pod_template_that_leaves_the_profile_stalls() -> None:
    escaping = resource(podTemplate={"spec": {"hostNetwork": True}})
    status = written(decide(observed(escaping)))
    assert condition(status, "Stalled")["reason"] == "PodNotRestricted"
    assert "hostNetwork" in condition(status, "Stalled")["message"]
    assert of_type(decide(observed(escaping), settings=replace(SETTINGS, allow_unrestricted_pods=True)), CreateJob)


def test_pod_template_that_cannot_be_merged_stalls() -> None:
    status = written(decide(observed(resource(podTemplate={"spec": {"containers": {"image": "a"}}}))))
    assert condition(status, "Stalled")["reason"] == "InvalidPodTemplate"
    assert "spec.containers" in condition(status, "Stalled")["message"]


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
        pytest.param(
            resource(status={"phase": "Pending", "failures": [{"pod": "a"}]}), [running_pod()], [], id="second attempt"
        ),
    ],
)
def test_wait_for_the_first_pod_is_counted_once(owner: Resource, pods: list[Pod], seconds: list[float]) -> None:
    status = {"phase": "Pending", **owner.status}
    actions = decide(observed(replace(owner, status=status), jobs=[job(owner)], pods=pods))
    assert [each.seconds for each in of_type(actions, CountWait)] == seconds
