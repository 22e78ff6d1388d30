"""Under Kueue: who lets a Job begin is not the operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compressions import (
    after,
    at,
    condition,
    decide,
    events,
    job,
    observed,
    of_type,
    pod,
    resource,
    running_pod,
    stored,
    succeeded_pod,
    written,
)
from splat_operator.api.model import (
    Admission,
    Container,
    CountWait,
    CreateJob,
    DeleteJob,
    Job,
    Observed,
    PatchJob,
    Pod,
    Requeue,
)

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


def test_kueues_own_words_are_the_message() -> None:
    waiting = observed(QUEUED, jobs=[job(QUEUED, is_suspended=True, queue="gpus")])
    others = Admission("another-job", "something else")
    words = Admission(waiting.jobs[0].uid, "insufficient unused quota for nvidia.com/gpu in flavor a, 1 more needed")
    for admissions, expected in (
        ((others,), f"Job {waiting.jobs[0].name} waits in queue gpus until Kueue admits it."),
        ((others, words), f"Job {waiting.jobs[0].name} waits in queue gpus: {words.message}."),
    ):
        status = written(decide(replace(waiting, admissions=admissions)))
        assert (status["phase"], condition(status, "Ready")["message"]) == ("Queued", expected)


def test_the_priority_is_kueues_and_not_the_pods() -> None:
    urgent = resource(queueName="gpus", queuePriorityClassName="urgent")
    (created,) = of_type(decide(observed(urgent)), CreateJob)
    assert created.manifest["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "urgent"
    assert "priorityClassName" not in created.manifest["spec"]["template"]["spec"]
    assert "urgent" not in str(created.manifest["spec"])


def test_a_priority_that_is_changed_while_it_waits_is_the_next_jobs() -> None:
    urgent = resource(queueName="gpus", queuePriorityClassName="urgent")
    waiting = job(QUEUED, is_suspended=True, queue="gpus")
    assert of_type(decide(observed(urgent, jobs=[waiting])), DeleteJob)


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
    unqueued = job(QUEUED, is_suspended=True, queue=None, own_queue=None, failed_pods=1)
    assert of_type(decide(observed(QUEUED, jobs=[unqueued])), DeleteJob)


def test_a_job_that_kueue_stopped_is_not_resumed_because_its_queue_was_taken_from_the_spec() -> None:
    preempted = job(is_suspended=True, failed_pods=1, queue="gpus")
    actions = decide(observed(jobs=[preempted], pods=[running_pod(is_deleting=True)]))
    assert not of_type(actions, PatchJob)
    assert written(actions)["phase"] == "Queued"


def kept(**changes: Any) -> Job:
    """A Job of a resource without a queue that Kueue has put into one by its label, or has only stopped."""
    return job(is_suspended=True, started_at=None, **changes)


WAITING = {
    "in the default queue of its namespace": (kept(queue="default"), "waits in queue default until Kueue admits it"),
    "in none, where Kueue manages all Jobs": (kept(), "is suspended, and not by this operator"),
}


@pytest.mark.parametrize(("waiting", "words"), WAITING.values(), ids=WAITING)
def test_a_job_that_kueue_has_taken_by_itself_waits_for_it(waiting: Job, words: str) -> None:
    actions = decide(observed(jobs=[waiting]))
    assert not of_type(actions, (PatchJob, DeleteJob, CreateJob, Requeue))
    status = written(actions)
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Queued", "Queued")
    assert words in condition(status, "Ready")["message"]
    queued = resource(status=stored(status))
    assert decide(observed(queued, jobs=[waiting]), now=at(7200)) == [], "Kueue alone knows for how long"


@pytest.mark.parametrize("waiting", [waiting for waiting, _ in WAITING.values()], ids=WAITING)
def test_admission_by_kueue_lets_it_run_and_is_told(waiting: Job) -> None:
    queued = after(observed(jobs=[waiting]))
    admitted = replace(waiting, is_suspended=False, started_at=at(60))
    actions = decide(observed(queued, jobs=[admitted], pods=[running_pod()]), now=at(61))
    assert written(actions)["phase"] == "Running"
    assert events(actions) == [("Normal", "Started")]


@pytest.mark.parametrize("waiting", [waiting for waiting, _ in WAITING.values()], ids=WAITING)
def test_suspending_what_kueue_holds_gives_it_up_until_it_is_resumed(waiting: Job) -> None:
    paused = replace(after(observed(jobs=[waiting])), spec=resource(suspend=True).spec, generation=2)
    actions = decide(observed(paused, jobs=[waiting]))
    assert of_type(actions, DeleteJob) == [DeleteJob(waiting.name, waiting.uid)]
    assert written(actions)["phase"] == "Suspended"
    paused = replace(paused, status=stored(written(actions)))
    assert decide(observed(paused)) == [], "a suspended one without a Job gets none, which Kueue would take again"
    resumed = replace(paused, spec=resource().spec, generation=3)
    assert of_type(decide(observed(resumed)), CreateJob)


def test_a_job_that_somebody_lets_go_on_against_the_suspension_is_given_up() -> None:
    """It would be suspended and resumed in turns for ever."""
    owner = resource(suspend=True)
    held = job(owner, is_suspended=True)
    paused = after(observed(owner, jobs=[held]))
    released = replace(held, is_suspended=False)
    actions = decide(observed(paused, jobs=[released], pods=[running_pod()]))
    assert of_type(actions, DeleteJob) == [DeleteJob(held.name, held.uid)]
    assert not of_type(actions, (PatchJob, CreateJob))
    assert decide(observed(replace(paused, status=stored(written(actions))))) == []


def test_the_wait_in_a_queue_counts_from_the_jobs_creation() -> None:
    """The start is set anew when Kueue admits the Job."""
    admitted = job(QUEUED, is_suspended=False, started_at=at(100))
    seen = observed(after(observed(QUEUED)), jobs=[admitted], pods=[pod(container=Container(started_at=at(110)))])
    assert of_type(decide(seen, now=at(111)), CountWait) == [CountWait(110.0)]


class TestCleanUp:
    """The Job that deletes outputs is in no queue, unless Kueue holds it: then it goes into the resource's."""

    owner = replace(
        resource(queueName="gpus", deletionPolicy="Delete"), finalizers=("splats.dev/outputs",), deleted_at=at(0)
    )
    waiting = Job(name="garden-c", uid="c", created_at=at(0), is_suspended=True, queue="gpus")

    def seen(self, waiting: Job, *pods: Pod) -> Observed:
        return replace(observed(self.owner, pods=pods), cleanup=waiting)

    def test_it_is_made_in_no_queue(self) -> None:
        (created,) = of_type(decide(observed(self.owner)), CreateJob)
        assert not created.manifest["spec"].get("suspend")
        assert "kueue.x-k8s.io/queue-name" not in created.manifest["metadata"]["labels"]

    def test_held_in_no_queue_it_goes_into_the_resources(self) -> None:
        actions = decide(self.seen(replace(self.waiting, queue=None)), now=at(1))
        assert of_type(actions, PatchJob) == [
            PatchJob("garden-c", {}, labels={"kueue.x-k8s.io/queue-name": "gpus"}),
        ]
        assert not of_type(actions, (DeleteJob, CreateJob))

    @pytest.mark.parametrize(
        ("spec_queue", "queue", "words"),
        [
            ("gpus", "gpus", "waits in queue gpus"),
            ("gpus", "default", "waits in queue default"),
            (None, None, "waits in suspension, which is not this operator's"),
        ],
    )
    def test_it_is_waited_for(self, spec_queue: str | None, queue: str | None, words: str) -> None:
        owner = replace(self.owner, spec=resource(queueName=spec_queue, deletionPolicy="Delete").spec)
        seen = replace(observed(owner), cleanup=replace(self.waiting, queue=queue))
        actions = decide(seen, now=at(700))
        assert not of_type(actions, (PatchJob, DeleteJob, CreateJob))
        assert words in condition(written(actions), "Ready")["message"]
        assert of_type(actions, Requeue) == [Requeue(3600 - 700)]

    def test_but_not_for_ever(self) -> None:
        actions = decide(self.seen(self.waiting), now=at(3600))
        assert condition(written(actions), "Ready")["reason"] == "OutputsLeft"

    def test_once_admitted_it_has_the_time_that_it_needs(self) -> None:
        admitted = replace(self.waiting, is_suspended=False, started_at=at(3500))
        actions = decide(self.seen(admitted, running_pod(job_uid="c")), now=at(3700))
        assert condition(written(actions), "Ready")["message"] == "Job garden-c deletes the outputs."
        assert of_type(actions, Requeue) == [Requeue(400)]
