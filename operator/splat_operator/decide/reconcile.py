"""What to do about one resource, given one look at the cluster. Pure: no client, no clock, no memory."""

from __future__ import annotations

from datetime import datetime

from splat_operator.api.model import (
    Action,
    CountWait,
    CreateJob,
    Job,
    Json,
    Observed,
    PatchJob,
    Pod,
    Requeue,
    Resource,
    SetFinalizers,
)
from splat_operator.api.names import FAILED, PENDING, QUEUED, TERMINAL_PHASES
from splat_operator.api.settings import Settings
from splat_operator.decide.deletion import answer_refusal, delete, wanted_finalizers
from splat_operator.decide.dry_run import explain
from splat_operator.decide.policies.drift import drift
from splat_operator.decide.policies.permission import Refusal, forbidden_place, forbidden_pod
from splat_operator.decide.status import Verdict, acknowledge, is_settled, update, write
from splat_operator.decide.verdict import SUSPENDED_BY_USER, judge, pods_of, queued
from splat_operator.manifests.identity import job_name, template_hash
from splat_operator.manifests.job import build_job, delete_jobs
from splat_operator.manifests.merge import MergeError


def reconcile(observed: Observed, *, now: datetime, settings: Settings) -> list[Action]:
    """Actions in the order of their execution: Jobs, then at most one status, then its events.

    Any prefix of them may be all that happens: the next look at the cluster leads to the rest.
    """
    resource = observed.resource
    if not resource.spec.is_for(settings.controller_name):
        return []
    if resource.deleted_at is not None:
        return delete(observed, now, settings)
    finalizers = wanted_finalizers(resource)
    if finalizers != resource.finalizers:
        return [SetFinalizers(finalizers), Requeue(settings.progress_interval_s)]
    desired = job_name(resource_name=resource.key.name, uid=resource.uid, output=resource.spec.output)
    if is_settled(resource.status, desired) and not resource.spec.is_dry_run:
        return _settled(observed, desired)
    refusal = forbidden_place(resource.spec, settings)
    if refusal:
        return _refuse(observed, refusal, now)
    if resource.spec.is_dry_run:
        return _explain(observed, now, settings)
    return _run(observed, desired, now, settings)


def refused(
    observed: Observed, *, code: int, words: str, is_final: bool, now: datetime, settings: Settings
) -> list[Action]:
    """What to do when the API server refused to create a Job with that HTTP status and these words.

    `is_final`: it will never take it, as in a namespace that is being deleted. An invalid Job (422) stays invalid
    until the spec changes; a quota or a policy may let it pass later.
    """
    if observed.resource.deleted_at is not None:
        is_final = is_final or code == 422
        return answer_refusal(observed, words=words, is_final=is_final, now=now, settings=settings)
    phase, reason = (FAILED, "InvalidJob") if code == 422 else (PENDING, "JobRefused")
    return write(observed, Verdict(phase, reason, f"The Job cannot be created: {words}"), now=now)


def _run(observed: Observed, desired: str, now: datetime, settings: Settings) -> list[Action]:
    """Have exactly the Job that the spec asks for, and no two runs that write to one destination."""
    spec = observed.resource.spec
    obsolete = [job for job in observed.jobs if job.name != desired or job.is_deleting or _is_outdated(job, observed)]
    current = next((job for job in observed.jobs if job not in obsolete), None)
    obsolete += [job for job in observed.orphans if not job.is_finished]
    if current:
        return [*delete_jobs(obsolete), *_follow(observed, current, now, settings)]
    if spec.suspend and spec.scheduling.queue:
        return [*delete_jobs(obsolete), *write(observed, SUSPENDED_BY_USER, now=now)]
    if obsolete or _strangers(observed):
        # A Job that somebody else has deleted is the same run still; what is replaced here is over.
        is_same_run = not obsolete and observed.resource.status.get("jobName") == desired
        waiting = _wait_for_earlier(observed, desired if is_same_run else None, now, settings)
        return [*delete_jobs(obsolete), *waiting]
    return _create(observed, desired, now, settings)


def _settled(observed: Observed, desired: str) -> list[Action]:
    """The outcome is in the status: only now may the Job go, by its TTL or, if it still holds a GPU, at once."""
    resource = observed.resource
    actions: list[Action] = []
    for job in observed.jobs:
        if job.name != desired or not job.is_finished:
            actions += delete_jobs([job])
        elif job.ttl_s != resource.spec.ttl_s:
            actions.append(PatchJob(job.name, {"ttlSecondsAfterFinished": resource.spec.ttl_s}))
    return [*actions, *update(observed, acknowledge(resource.status, resource.generation))]


def _refuse(observed: Observed, refusal: Refusal, now: datetime) -> list[Action]:
    verdict = Verdict(FAILED, refusal.reason, refusal.message)
    return [*delete_jobs(observed.jobs), *write(observed, verdict, now=now)]


def _explain(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    manifest = _build(observed.resource, settings)
    if isinstance(manifest, Refusal):
        return _refuse(observed, manifest, now)
    return explain(observed, manifest, now, settings)


def _create(observed: Observed, desired: str, now: datetime, settings: Settings) -> list[Action]:
    manifest = _build(observed.resource, settings)
    if isinstance(manifest, Refusal):
        return _refuse(observed, manifest, now)
    verdict = _created(observed.resource, desired)
    return [
        CreateJob(manifest),
        *write(observed, verdict, job_name=desired, now=now),
        Requeue(settings.no_pod_grace_s),
    ]


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
    if resource.status.get("jobName") == desired and resource.status.get("phase") not in TERMINAL_PHASES:
        return Verdict(PENDING, "Recreated", f"Job {desired} was deleted before it had finished, and is made again.")
    return Verdict(PENDING, "Created", f"Job {desired} waits for its pod.")


def _wait_for_earlier(observed: Observed, job_name: str | None, now: datetime, settings: Settings) -> list[Action]:
    """Two runs never write to one destination at a time: the next one waits until the earlier one's pods are gone."""
    pods = _strangers(observed)
    what = f"pod {pods[0].name}" if pods else "the Job"
    verdict = Verdict(PENDING, "Replacing", f"Waiting for {what} of the earlier run to stop.")
    return [*write(observed, verdict, job_name=job_name, now=now), Requeue(settings.progress_interval_s)]


def _follow(observed: Observed, job: Job, now: datetime, settings: Settings) -> list[Action]:
    """Bring the Job's changeable fields up to date, and the status up to the Job."""
    verdict, look_again_s = judge(observed, job, now, settings)
    changes = {} if job.is_finished or verdict.phase == FAILED else drift(job, observed.resource.spec)
    patch = [PatchJob(job.name, changes)] if changes else []
    writing = write(observed, verdict, job_name=job.name, job=job, now=now)
    return [*patch, *writing, *_wait_to_count(observed, job, verdict), Requeue(look_again_s)]


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
    # Under a queue the Job's `suspend` is Kueue's: what the user suspends, or takes elsewhere, gives its place up.
    if job.queue and spec.suspend:
        return True
    if job.is_suspended and job.queue != spec.scheduling.queue and not any(pod.is_active for pod in pods):
        return True
    if job.template_hash == template_hash(spec.scheduling):
        return False
    return job.failed_pods == 0 and all(pod.phase == "Pending" for pod in pods)


def _strangers(observed: Observed) -> list[Pod]:
    """Pods that may still write to the destination and are not of a Job that is there."""
    jobs = {job.uid for job in observed.jobs}
    return [pod for pod in observed.pods if pod.is_active and pod.job_uid not in jobs]
