"""Where the view may be behind, what would be wrong then is decided upon the API server's own word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from compressions import (
    after,
    at,
    decide,
    failed_pod,
    job,
    observed,
    of_type,
    pod,
    resource,
    running_pod,
    said,
    settled,
    succeeded_pod,
)
from splat_operator.api.model import AdoptJob, CreateJob, DeleteJob, Job, LookAgain, Observed, PatchJob, SetFinalizers
from splat_operator.api.names import FINALIZER

from .observations import looks

COMPLETE = job(is_complete=True, succeeded_pods=1, finished_at=at(42))
FAILED = job(failure=("BackoffLimitExceeded", ""), failed_pods=2, finished_at=at(42))
EVICTED = failed_pod(75, disruption=("EvictionByEvictionAPI", "drain"), name="evicted")
LEAVING = replace(resource(deletionPolicy="Delete"), finalizers=(FINALIZER,), deleted_at=at(0))
OF_JOBS = (CreateJob, DeleteJob, PatchJob, AdoptJob)
CLEANUP = Job(name="garden-c", uid="c", created_at=at(0))
DELETED = succeeded_pod('{"version": 1, "deleted": 3, "kept": 0}', job_uid="c")


def cleaned(job: Job | None, *pods: object) -> Observed:
    return replace(observed(LEAVING, pods=pods), cleanup=job)  # type: ignore[arg-type]


def told(seen: Observed) -> Observed:
    return replace(seen, resource=after(seen))


NEEDED: dict[str, Observed] = {
    "a Job that is made again": observed(after(observed(jobs=[job()], pods=[running_pod()]))),
    "a Job after an edit": observed(resource(generation=2, preview=True), pods=[failed_pod(69)]),
    "a success whose pod was not seen": observed(jobs=[COMPLETE]),
    "a success of which only a failed pod was seen": observed(jobs=[COMPLETE], pods=[failed_pod(69)]),
    "a failure whose last pod was not seen": observed(jobs=[FAILED], pods=[failed_pod(69)]),
    "a failure of which only the disrupted pod was seen": observed(
        jobs=[replace(FAILED, failed_pods=1)], pods=[EVICTED]
    ),
    "an earlier Job to be deleted": observed(resource(generation=2, preview=True), jobs=[job()]),
    "a Job to be suspended": observed(resource(suspend=True), jobs=[job()]),
    "a Job to be adopted": observed(jobs=[job(is_owned=False)]),
    "a Job to be kept for its time": observed(settled(ttlSecondsAfterFinished=60), jobs=[COMPLETE]),
    "a run to be stopped for a deletion": observed(LEAVING, jobs=[job()]),
    "the Job that deletes outputs": cleaned(None),
    "outputs that are deleted, by whom was not seen": cleaned(
        replace(CLEANUP, is_complete=True, succeeded_pods=1),
    ),
    "a resource that is let go": told(cleaned(replace(CLEANUP, is_complete=True, succeeded_pods=1), DELETED)),
}
NOT_NEEDED: dict[str, Observed] = {
    "running": observed(jobs=[job()], pods=[running_pod()]),
    "waiting": observed(jobs=[job()], pods=[pod()]),
    "success, its pod seen": observed(jobs=[COMPLETE], pods=[succeeded_pod()]),
    "failure, all pods seen": observed(
        jobs=[FAILED], pods=[failed_pod(69), failed_pod(65, said("BadInput", "No PLY."), name="b")]
    ),
    "failure, and a disrupted pod, which counts for none": observed(
        jobs=[replace(FAILED, failed_pods=1)], pods=[failed_pod(69), EVICTED]
    ),
    "settled": observed(settled(), jobs=[COMPLETE]),
    "suspended": observed(resource(suspend=True), jobs=[job(resource(suspend=True))]),
    "finalizer to be set": observed(resource(deletionPolicy="Delete")),
    "outputs being deleted": cleaned(CLEANUP, running_pod(job_uid="c")),
    "held by others, being deleted": observed(replace(resource(), deleted_at=at(0), finalizers=("example.com/a",))),
}


@pytest.mark.parametrize("seen", NEEDED.values(), ids=NEEDED)
def test_it_looks_again_and_does_nothing_else(seen: Observed) -> None:
    assert decide(replace(seen, is_behind=True)) == [LookAgain()]
    assert not of_type(decide(seen), LookAgain)


@pytest.mark.parametrize("seen", NOT_NEEDED.values(), ids=NOT_NEEDED)
def test_the_rest_costs_no_request(seen: Observed) -> None:
    assert decide(replace(seen, is_behind=True)) == decide(seen)


def test_a_first_run_needs_no_look() -> None:
    """Nothing is known to be behind there: ten thousand new resources cost no list each."""
    assert of_type(decide(observed()), CreateJob)


@settings(max_examples=100)
@given(looks())
def test_nothing_is_done_to_a_job_and_no_end_told_upon_less_than_certainty(seen: Observed) -> None:
    certain, behind = decide(replace(seen, is_behind=False)), decide(replace(seen, is_behind=True))
    assert not of_type(certain, LookAgain)
    assert behind in ([LookAgain()], certain)
    assert not of_type(behind, OF_JOBS)


@settings(max_examples=50)
@given(looks(is_deleted=True))
def test_no_deleted_resource_is_let_go_upon_less_than_certainty(seen: Observed) -> None:
    assert not of_type(decide(replace(seen, is_behind=True)), (*OF_JOBS, SetFinalizers))
