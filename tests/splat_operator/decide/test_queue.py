"""Under Kueue: who lets a Job begin is not the operator."""

from __future__ import annotations

from compressions import (
    condition,
    decide,
    events,
    job,
    observed,
    of_type,
    resource,
    running_pod,
    succeeded_pod,
    written,
)
from splat_operator.api.model import CreateJob, DeleteJob, PatchJob

QUEUED = resource(queueName="gpus")


def test_job_is_born_suspended_in_the_queue() -> None:
    actions = decide(observed(QUEUED))
    (created,) = of_type(actions, CreateJob)
    assert created.manifest["spec"]["suspend"] is True
    assert created.manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert (written(actions)["phase"], events(actions)) == (
        "Queued",
        [("Normal", "JobCreated"), ("Normal", "Queued")],
    )


def test_admission_and_preemption_are_left_alone() -> None:
    for is_suspended, phase in ((True, "Queued"), (False, "Pending")):
        actions = decide(observed(QUEUED, jobs=[job(QUEUED, is_suspended=is_suspended, queue="gpus")]))
        assert not of_type(actions, PatchJob)
        assert written(actions)["phase"] == phase


def test_suspending_gives_the_place_up_and_resuming_queues_again() -> None:
    paused = resource(queueName="gpus", suspend=True)
    actions = decide(observed(paused, jobs=[job(QUEUED, queue="gpus")], pods=[running_pod()]))
    assert of_type(actions, DeleteJob)
    assert written(actions)["phase"] == "Suspended"
    resumed = resource(queueName="gpus", status=written(actions))
    assert condition(written(decide(observed(resumed))), "Ready")["reason"] == "Queued"


def test_a_result_is_not_thrown_away_for_a_suspension() -> None:
    paused = resource(queueName="gpus", suspend=True)
    done = job(QUEUED, is_complete=True, queue="gpus")
    actions = decide(observed(paused, jobs=[done], pods=[succeeded_pod()]))
    assert written(actions)["phase"] == "Succeeded"


def test_a_job_that_is_in_no_queue_goes_into_one_when_it_resumes() -> None:
    unqueued = job(QUEUED, is_suspended=True, failed_pods=1)
    assert of_type(decide(observed(QUEUED, jobs=[unqueued])), DeleteJob)


def test_a_job_that_kueue_stopped_is_not_resumed_because_its_queue_was_taken_from_the_spec() -> None:
    preempted = job(is_suspended=True, failed_pods=1, queue="gpus")
    actions = decide(observed(jobs=[preempted], pods=[running_pod(is_deleting=True)]))
    assert not of_type(actions, PatchJob)
    assert written(actions)["phase"] == "Queued"
