"""Faults to plant: an operator that decides otherwise than the real one, in one thing each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from model.mind import decide
from splat_operator.api.model import (
    Action,
    AdoptJob,
    CountFinish,
    CreateJob,
    DeleteJob,
    EmitEvent,
    Job,
    Observed,
    PatchJob,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import TERMINAL_PHASES
from splat_operator.decide.conditions import find


def trusts_its_memory(observed: Observed, now: datetime) -> list[Action]:
    """Takes a Job for there because it was made once: nobody tells of the one that was deleted."""
    actions = decide(observed, now)
    known = observed.resource.status.get("jobName")
    return [
        each for each in actions if not (isinstance(each, CreateJob) and known == each.manifest["metadata"]["name"])
    ]


def tells_first(observed: Observed, now: datetime) -> list[Action]:
    """Posts Events before the status that they tell of."""
    actions = decide(observed, now)
    told = [each for each in actions if isinstance(each, EmitEvent | CountFinish)]
    return [*told, *(each for each in actions if each not in told)]


def notes_first(observed: Observed, now: datetime) -> list[Action]:
    """Writes that a Job is made before it is, and believes it."""
    actions = trusts_its_memory(observed, now)
    made = [each for each in actions if isinstance(each, CreateJob)]
    return [*(each for each in actions if each not in made), *made]


def does_not_wait(observed: Observed, now: datetime) -> list[Action]:
    """Does not see pods of earlier runs."""
    jobs = {job.uid for job in observed.jobs}
    return decide(replace(observed, pods=tuple(pod for pod in observed.pods if pod.job_uid in jobs)), now)


def lets_go_at_once(observed: Observed, now: datetime) -> list[Action]:
    """Lets a resource go when its outputs are about to be deleted."""
    actions = decide(observed, now)
    is_cleaning = observed.resource.deleted_at and any(isinstance(each, CreateJob) for each in actions)
    return [SetFinalizers(())] if is_cleaning else actions


def forgets_the_end(observed: Observed, now: datetime) -> list[Action]:
    """Decides anew for a run whose end is in the status, once its Job is gone."""
    status = observed.resource.status
    if not status or observed.jobs:
        return decide(observed, now)
    return decide(replace(observed, resource=replace(observed.resource, status={**status, "phase": "Running"})), now)


def claims_too_early(observed: Observed, now: datetime) -> list[Action]:
    """Shows outputs while they are made."""
    return [
        WriteStatus({**each.status, "outputs": [{"name": "garden"}]})
        if isinstance(each, WriteStatus) and each.status["phase"] == "Running"
        else each
        for each in decide(observed, now)
    ]


def resumes_all(observed: Observed, now: datetime) -> list[Action]:
    """Takes the suspension of a Job for its own, in a queue too."""
    stolen = [PatchJob(job.name, {"suspend": False}) for job in observed.jobs if job.is_suspended]
    return [*stolen, *decide(observed, now)]


def resumes_what_it_did_not_suspend(observed: Observed, now: datetime) -> list[Action]:
    """Takes every suspension of a Job in no queue for its own."""
    claims = {"is_suspended_by_us": True}
    return decide(_with_jobs(observed, lambda job: claims if job.is_suspended else {}), now)


def takes_a_queue_for_its_own(observed: Observed, now: datetime) -> list[Action]:
    """Takes a queue that Kueue has chosen for one that it has written itself."""
    return decide(_with_jobs(observed, lambda job: {"own_queue": job.queue}), now)


def deletes_unasked(observed: Observed, now: datetime) -> list[Action]:
    """Deletes outputs that were to stay."""
    spec = replace(observed.resource.spec, deletes_outputs=True)
    return decide(replace(observed, resource=replace(observed.resource, spec=spec)), now)


def tells_nobody(observed: Observed, now: datetime) -> list[Action]:
    """Posts no Event and counts nothing."""
    return [each for each in decide(observed, now) if not isinstance(each, EmitEvent | CountFinish)]


def counts_nothing(observed: Observed, now: datetime) -> list[Action]:
    """Posts Events, but counts nothing."""
    return [each for each in decide(observed, now) if not isinstance(each, CountFinish)]


def makes_jobs_by_its_store(observed: Observed, now: datetime) -> list[Action]:
    """Makes Jobs by what its store has, without a look at what there is."""
    return _by_its_store(observed, now, CreateJob)


def deletes_jobs_by_its_store(observed: Observed, now: datetime) -> list[Action]:
    """Deletes Jobs by what its store has."""
    return _by_its_store(observed, now, DeleteJob)


def takes_unseen_pods_for_gone(observed: Observed, now: datetime) -> list[Action]:
    """Ends a run by the pods that were seen, though the Job counts more."""
    return decide(_with_jobs(observed, lambda _: {"succeeded_pods": 0, "failed_pods": 0}), now)


def counts_ends_in_one(observed: Observed, now: datetime) -> list[Action]:
    """Takes a disrupted pod for one of those that the Job counts."""

    def hidden(job: Job) -> dict[str, Any]:
        ends = sum(not pod.is_active for pod in observed.pods if pod.job_uid == job.uid)
        is_enough = ends >= job.succeeded_pods + job.failed_pods
        return {"succeeded_pods": 0, "failed_pods": 0} if is_enough else {}

    return decide(_with_jobs(observed, hidden), now)


def believes_the_phase(observed: Observed, now: datetime) -> list[Action]:
    """Takes a run for over because the phase says so."""
    status = observed.resource.status
    if status.get("phase") not in TERMINAL_PHASES or "completionTime" in status:
        return decide(observed, now)
    said = {"Ready": status["phase"] == "Succeeded", "Reconciling": False, "Stalled": status["phase"] == "Failed"}
    said["Scheduled"] = True
    ready = find(status, "Ready")
    conditions = [{**ready, "type": kind, "status": str(is_true)} for kind, is_true in said.items()]
    ended = {**status, "completionTime": "2026-01-01T12:00:00Z", "conditions": conditions}
    return decide(replace(observed, resource=replace(observed.resource, status=ended)), now)


def acknowledges_every_edit(observed: Observed, now: datetime) -> list[Action]:
    """Takes a failure for final, whatever is edited."""
    return decide(with_status(observed, without="retryOn"), now)


def runs_again_on_every_edit(observed: Observed, now: datetime) -> list[Action]:
    """Runs a failed resource again whatever was edited, and what it had failed of."""
    status = observed.resource.status
    changed = {**status, "retryOn": "other"} if "retryOn" in status else status
    return decide(replace(observed, resource=replace(observed.resource, status=changed)), now)


def repeats_for_ever(observed: Observed, now: datetime) -> list[Action]:
    """Forgets that a lost result was made again already."""
    return decide(with_status(observed, without="failures"), now)


def forgets_lost_answers(observed: Observed, now: datetime) -> list[Action]:
    """Takes what it has seen and written for all that there may be, whatever was edited."""
    knows_some = observed.jobs or observed.orphans or observed.pods or "jobName" in observed.resource.status
    return decide(replace(observed, is_behind=observed.is_behind and bool(knows_some)), now)


def makes_a_stopped_job_anew(observed: Observed, now: datetime) -> list[Action]:
    """Deletes a Job that waits, and makes it again, in the hope that it will be let begin."""
    held: list[Action] = [
        DeleteJob(job.name, job.uid) for job in observed.jobs if job.is_suspended and not job.is_suspended_by_us
    ]
    return held or decide(observed, now)


def keeps_the_small_status(observed: Observed, now: datetime) -> list[Action]:
    """Takes the small status that stands for one that was refused for an end."""
    is_small = find(observed.resource.status, "Ready").get("reason") == "StatusRefused"
    return [] if is_small else decide(observed, now)


def tells_again(observed: Observed, now: datetime) -> list[Action]:
    """Posts an Event with each pass."""
    return [*decide(observed, now), EmitEvent("Normal", "Looked", "The operator has looked.")]


def adopts_nothing(observed: Observed, now: datetime) -> list[Action]:
    """Leaves a Job alone whose owner was removed."""
    return [each for each in decide(observed, now) if not isinstance(each, AdoptJob)]


def resumes_the_clean_up(observed: Observed, now: datetime) -> list[Action]:
    """Lets the Job that deletes begin, whatever its queue says."""
    job = observed.cleanup
    stolen: list[Action] = [PatchJob(job.name, {"suspend": False})] if job and job.is_suspended else []
    return [*stolen, *decide(observed, now)]


def repeats_itself(observed: Observed, now: datetime) -> list[Action]:
    """Writes a status that is never the one that it would write next."""
    actions = decide(observed, now)
    count = observed.resource.status.get("cacheHits", 0)
    if any(isinstance(each, WriteStatus) for each in actions) or not observed.resource.status:
        return actions
    return [*actions, WriteStatus({**observed.resource.status, "cacheHits": 1 - count})]


def _with_jobs(observed: Observed, changes: Callable[[Job], Mapping[str, Any]]) -> Observed:
    return replace(observed, jobs=tuple(replace(job, **changes(job)) for job in observed.jobs))


def _by_its_store(observed: Observed, now: datetime, kind: type[Action]) -> list[Action]:
    """Decided without a second look, where that was wanted for what is done to Jobs of that kind."""
    actions = decide(replace(observed, is_behind=False), now)
    return actions if any(isinstance(each, kind) for each in actions) else decide(observed, now)


def with_status(observed: Observed, *, without: str) -> Observed:
    status = {name: value for name, value in observed.resource.status.items() if name != without}
    return replace(observed, resource=replace(observed.resource, status=status))
