"""What to do about one resource, given one look at the cluster. Pure: no client, no clock, no memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from splat_operator.api.model import (
    Action,
    AdoptJob,
    CountWait,
    CreateJob,
    DeleteJob,
    Job,
    LookAgain,
    Observed,
    PatchJob,
    Pod,
    Requeue,
    Resource,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import FAILED, PENDING, QUEUED, SUSPENDED, TERMINAL_PHASES
from splat_operator.api.settings import Settings
from splat_operator.api.spec import Json
from splat_operator.api.times import format_time, parse_time
from splat_operator.decide.conditions import find
from splat_operator.decide.deletion import answer_refusal, delete, wanted_finalizers
from splat_operator.decide.dry_run import explain
from splat_operator.decide.policies.drift import correct, must_give_way
from splat_operator.decide.policies.failure import MAX_FAILURES, failures
from splat_operator.decide.policies.permission import Refusal, forbidden_place, forbidden_pod
from splat_operator.decide.policies.rerun import wants_another_run
from splat_operator.decide.status import Verdict, acknowledge, is_settled, update, write
from splat_operator.decide.verdict import RESULT_MISSING, SUSPENDED_BY_USER, is_result_lost, judge, pods_of, queued
from splat_operator.manifests.identity import job_name, template_hash
from splat_operator.manifests.job import build_job, delete_jobs
from splat_operator.manifests.merge import MergeError

INVALID_JOB = "InvalidJob"
NAME_TAKEN = 409


def reconcile(observed: Observed, *, now: datetime, settings: Settings) -> list[Action]:
    """Actions in the order of their execution: Jobs, then at most one status, then its events.

    Any prefix of them may be all that happens: the next look at the cluster leads to the rest. Where the view may be
    behind and what is wanted would be wrong then, the only action is to look again.
    """
    actions = _reconcile(observed, now, settings)
    return [LookAgain()] if observed.is_behind and _needs_certainty(observed, actions) else actions


def _reconcile(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    resource = observed.resource
    if not resource.spec.is_for(settings.controller_name):
        return []
    if resource.deleted_at is not None:
        return delete(observed, now, settings)
    finalizers = wanted_finalizers(resource)
    if finalizers != resource.finalizers:
        return [SetFinalizers(finalizers)]
    desired = job_name(resource_name=resource.key.name, uid=resource.uid, output=resource.spec.output)
    is_over = is_settled(resource.status, desired) and not resource.spec.is_dry_run
    if is_over and not _wants_another_run(resource):
        return _settled(observed, desired, now)
    refusal = forbidden_place(resource.spec, settings)
    if refusal:
        return _refuse(observed, refusal, now)
    if resource.spec.is_dry_run:
        return _explain(observed, now, settings)
    return _run(_of_the_next_run(observed, desired) if is_over else observed, desired, now, settings)


def _needs_certainty(observed: Observed, actions: list[Action]) -> bool:
    """Whether what was not seen would make the actions wrong.

    That is so for all that is done to Jobs: two runs must never write to one destination, and a process that has just
    taken over may know a later Job than resource; for letting a deleted resource go; and for the end of a Job some of
    whose ended pods have not been seen, since they tell what came of it. A status alone is refused if it is behind.
    """
    if any(isinstance(action, CreateJob | DeleteJob | PatchJob | AdoptJob) for action in actions):
        return True
    if observed.resource.deleted_at is not None and any(isinstance(action, SetFinalizers) for action in actions):
        return True
    return any(isinstance(action, WriteStatus) for action in actions) and _has_unseen_ends(observed)


def _has_unseen_ends(observed: Observed) -> bool:
    cleanup = (observed.cleanup,) if observed.cleanup else ()
    return any(_has_unseen_pods(observed, job) for job in (*observed.jobs, *cleanup) if job.is_finished)


def _has_unseen_pods(observed: Observed, job: Job) -> bool:
    """Each kind is compared by itself; of the failed ones those that were disrupted are not in the Job's count."""
    pods = pods_of(observed, job)
    succeeded = sum(pod.phase == "Succeeded" for pod in pods)
    failed = sum(pod.phase == "Failed" and pod.disruption is None for pod in pods)
    return succeeded < job.succeeded_pods or failed < job.failed_pods


def _wants_another_run(resource: Resource) -> bool:
    reason = find(resource.status, "Ready").get("reason", "")
    is_failed = resource.status.get("phase") == FAILED
    return is_failed and wants_another_run(
        resource.status, reason=reason, spec=resource.spec, generation=resource.generation
    )


def _of_the_next_run(observed: Observed, desired: str) -> Observed:
    """What is seen without the outcome of the run before; its Job, which has the next one's name, must go.

    It may be unfinished, where its time was over. One that was made after that end is the next run's, of which the
    status does not tell yet.
    """
    resource = observed.resource
    status = {name: resource.status[name] for name in ("conditions", "observedGeneration")}
    ended = parse_time(resource.status["completionTime"])
    named = (job for job in observed.jobs if job.name == desired)
    over = tuple(job for job in named if ended is None or job.created_at <= ended)
    return replace(
        observed,
        resource=replace(resource, status=status),
        jobs=tuple(job for job in observed.jobs if job not in over),
        orphans=(*observed.orphans, *over),
    )


def refused(
    observed: Observed, *, code: int, words: str, is_final: bool, now: datetime, settings: Settings
) -> list[Action]:
    """What to do when the API server refused to create a Job with that HTTP status and these words.

    `is_final`: it will never take it, as it is invalid or its namespace is being deleted. A quota or a policy may let
    it pass later, and so may the end of another's Job of that name (409).
    """
    if observed.resource.deleted_at is not None:
        return answer_refusal(observed, words=words, is_final=is_final, now=now, settings=settings)
    if code == NAME_TAKEN:
        verdict = Verdict(PENDING, "JobNameTaken", words)
    else:
        phase, reason = (FAILED, INVALID_JOB) if is_final else (PENDING, "JobRefused")
        verdict = Verdict(phase, reason, f"The Job cannot be created: {words}")
    return write(observed, verdict, now=now)


def unwritable(observed: Observed, *, words: str, reason: str, now: datetime) -> list[Action]:
    """The small status of a resource whose status cannot be written, or about which nothing could be decided.

    It takes nothing over from the one before, which may be what is wrong; but the outcome of the run that the spec asks
    for stays where it is, as without it all would be run again.
    """
    resource = observed.resource
    if is_settled(
        resource.status, job_name(resource_name=resource.key.name, uid=resource.uid, output=resource.spec.output)
    ):
        return []
    resource = replace(resource, status={})
    bare = Observed(resource, jobs=(), pods=())
    small = [
        action for action in write(bare, Verdict(FAILED, reason, words), now=now) if isinstance(action, WriteStatus)
    ]
    before = find(observed.resource.status, "Ready")
    is_known = before.get("reason") == reason and before.get("message") == find(small[0].status, "Ready")["message"]
    return [] if is_known else [*small]


def _run(observed: Observed, desired: str, now: datetime, settings: Settings) -> list[Action]:
    """Have exactly the Job that the spec asks for, and no two runs that write to one destination."""
    spec, status = observed.resource.spec, observed.resource.status
    obsolete = [job for job in observed.jobs if job.name != desired or job.is_deleting or _is_outdated(job, observed)]
    current = next((job for job in observed.jobs if job not in obsolete), None)
    # A finished one of that name stands in the way, too.
    obsolete += [job for job in observed.orphans if not job.is_finished or job.name == desired]
    if current and is_result_lost(observed, current):
        if not spec.suspend:
            return [*delete_jobs(obsolete), *_repeat(observed, current, now)]
        obsolete, current = [*obsolete, current], None  # It runs again when it is resumed.
    if current:
        return [*delete_jobs(obsolete), *_follow(observed, current, now, settings)]
    if spec.suspend and (obsolete or spec.scheduling.queue or status.get("phase") == SUSPENDED):
        # One that somebody lets go on, or that a queue takes, while it is suspended would be made again and again.
        return [*delete_jobs(obsolete), *write(observed, SUSPENDED_BY_USER, now=now)]
    strangers = _strangers(observed, obsolete)
    if obsolete or strangers:
        # A Job that somebody else has deleted is the same run still; what is replaced here is over.
        is_same_run = all(job.is_deleting for job in obsolete) and status.get("jobName") == desired
        if is_same_run and _is_repeated(observed.resource):
            return []
        waiting = _wait_for_earlier(observed, strangers, desired if is_same_run else None, now)
        return [*delete_jobs(obsolete), *waiting]
    return _create(observed, desired, now, settings)


def _settled(observed: Observed, desired: str, now: datetime) -> list[Action]:
    """The outcome is in the status: only now may the Job go, by its TTL or, if it still holds a GPU, at once."""
    resource = observed.resource
    actions: list[Action] = []
    for job in observed.jobs:
        if job.name != desired or not job.is_finished:
            actions += delete_jobs([job])
        elif job.ttl_s != resource.spec.ttl_s:
            actions.append(PatchJob(job.name, {"ttlSecondsAfterFinished": resource.spec.ttl_s}))
    return [*actions, *update(observed, acknowledge(observed, now=now))]


def _refuse(observed: Observed, refusal: Refusal, now: datetime) -> list[Action]:
    verdict = Verdict(FAILED, refusal.reason, refusal.message)
    return [*delete_jobs(observed.jobs), *write(observed, verdict, now=now)]


def _explain(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    manifest = _build(observed.resource, settings)
    if isinstance(manifest, Refusal):
        return _refuse(observed, manifest, now)
    if _is_known_invalid(observed.resource):
        return delete_jobs(observed.jobs)
    return explain(observed, manifest, now, settings)


def _create(observed: Observed, desired: str, now: datetime, settings: Settings) -> list[Action]:
    manifest = _build(observed.resource, settings)
    if isinstance(manifest, Refusal):
        return _refuse(observed, manifest, now)
    if _is_known_invalid(observed.resource):
        return []
    verdict = _created(observed.resource, desired)
    # It may come out otherwise: Kueue's webhook suspends Jobs. No watch tells of what the operator has made itself.
    return [CreateJob(manifest), *write(observed, verdict, job_name=desired, now=now), Requeue(0)]


def _is_known_invalid(resource: Resource) -> bool:
    """Whether the API server has refused the Job of this very spec for good: it stays so until the spec changes."""
    is_current = resource.status.get("observedGeneration") == resource.generation
    return is_current and find(resource.status, "Ready").get("reason") == INVALID_JOB


def _build(resource: Resource, settings: Settings) -> Json | Refusal:
    """The Job's manifest, or why its pods may not be made so."""
    try:
        manifest = build_job(spec=resource.spec, key=resource.key, uid=resource.uid, settings=settings)
    except MergeError as error:
        words = str(error).rstrip(".")
        return Refusal("InvalidPodTemplate", f"spec.podTemplate cannot be merged: {words}; correct it.")
    return forbidden_pod(manifest["spec"]["template"], settings) or manifest


def _created(resource: Resource, desired: str) -> Verdict:
    if resource.spec.suspend:
        return SUSPENDED_BY_USER
    if resource.spec.scheduling.queue:
        return queued(desired, resource.spec.scheduling.queue)
    is_same_run = resource.status.get("jobName") == desired and resource.status.get("phase") not in TERMINAL_PHASES
    if is_same_run and not _is_repeated(resource):
        return Verdict(PENDING, "Recreated", f"Job {desired} was deleted before it had finished, and is made again.")
    return Verdict(PENDING, "Created", f"Job {desired} waits for its pod.")


def _is_repeated(resource: Resource) -> bool:
    """Whether the status says that the run begins once more, since its result was lost."""
    return find(resource.status, "Ready").get("reason") == RESULT_MISSING and resource.status.get("phase") == PENDING


def _wait_for_earlier(observed: Observed, pods: Sequence[Pod], job_name: str | None, now: datetime) -> list[Action]:
    """Two runs never write to one destination at a time: the next one waits until the earlier one's pods are gone."""
    what = f"pod {pods[0].name}" if pods else "the Job"
    verdict = Verdict(PENDING, "Replacing", f"Waiting for {what} of the earlier run to stop.")
    return write(observed, verdict, job_name=job_name, now=now)


def _repeat(observed: Observed, job: Job, now: datetime) -> list[Action]:
    """Run once more, since nobody has read what the last run has made."""
    words = f"The pods of Job {job.name} were gone before their result was read; it runs again."
    entry = {"pod": job.name, "reason": RESULT_MISSING, "message": words, "time": format_time(job.finished_at or now)}
    known = failures(observed.resource.status.get("failures", []), pods_of(observed, job))
    facts = {"failures": [*known[1 - MAX_FAILURES :], entry]}
    verdict = Verdict(PENDING, RESULT_MISSING, words, facts)
    return [*delete_jobs([job]), *write(observed, verdict, job_name=job.name, now=now)]


def _follow(observed: Observed, job: Job, now: datetime, settings: Settings) -> list[Action]:
    """Bring the Job's changeable fields up to date, and the status up to the Job."""
    spec, phase = observed.resource.spec, observed.resource.status.get("phase")
    verdict, look_again_s = judge(observed, job, now, settings)
    adoption = [] if job.is_owned else [AdoptJob(job.name, job.uid)]
    changes = [] if job.is_finished or verdict.phase == FAILED else correct(job, spec, phase=phase)
    writing = write(observed, verdict, job_name=job.name, job=job, now=now)
    counting = _wait_to_count(observed, job, verdict) if writing else []
    if writing and verdict.phase in TERMINAL_PHASES and (not job.is_finished or job.ttl_s != spec.ttl_s):
        look_again_s = 0  # What is to be done about the Job then: no watch tells of the operator's own status.
    later = [] if look_again_s is None else [Requeue(look_again_s)]
    return [*adoption, *changes, *writing, *counting, *later]


def _wait_to_count(observed: Observed, job: Job, verdict: Verdict) -> list[Action]:
    """How long a Job has waited for its first pod to start, when that is first seen."""
    before = observed.resource.status
    starts = [pod.container.started_at for pod in pods_of(observed, job) if pod.container.started_at]
    was_waiting = before.get("phase") in (PENDING, QUEUED) and not before.get("failures")
    if not (starts and was_waiting) or verdict.phase in (PENDING, QUEUED):
        return []
    # The Job controller sets the start anew when a Job resumes; Kueue, when it admits one.
    since = job.created_at if observed.resource.spec.scheduling.queue else job.started_at or job.created_at
    return [CountWait(max(0.0, (min(starts) - since).total_seconds()))]


def _is_outdated(job: Job, observed: Observed) -> bool:
    """Whether the Job is to be made anew: by now it would be another, and no pod of it has started."""
    spec, pods = observed.resource.spec, pods_of(observed, job)
    if job.is_finished:
        return False
    if must_give_way(job, spec, phase=observed.resource.status.get("phase")):
        return True
    # A queue label that the operator did not write is Kueue's choice; earlier versions did not note what they wrote.
    own_queue = job.own_queue or (job.queue if job.queue == spec.scheduling.queue else None)
    if job.is_suspended and own_queue != spec.scheduling.queue and not any(pod.is_active for pod in pods):
        return True
    if job.template_hash == template_hash(spec.scheduling):
        return False
    return job.failed_pods == 0 and all(pod.phase == "Pending" for pod in pods)


def _strangers(observed: Observed, obsolete: Iterable[Job]) -> list[Pod]:
    """Pods that may still write to the destination and are not of a Job that is there or has yet to go."""
    jobs = {job.uid for job in (*observed.jobs, *obsolete)}
    return [pod for pod in observed.pods if pod.is_active and pod.job_uid not in jobs]
