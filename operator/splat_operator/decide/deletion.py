"""What to do about a resource that is being deleted: its outputs go with it, if it says so, or are left after a while.

A finalizer holds the resource until then. Its Jobs are stopped first, so that nothing is published behind the back of
the Job that deletes, and that Job is made at most once at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from splat_operator.api.model import (
    Action,
    CreateJob,
    EmitEvent,
    Job,
    Observed,
    PatchJob,
    Pod,
    Requeue,
    Resource,
    SetFinalizers,
)
from splat_operator.api.names import FINALIZER, LABEL_QUEUE, PENDING
from splat_operator.api.settings import Settings
from splat_operator.decide.conditions import find
from splat_operator.decide.policies.failure import job_cause
from splat_operator.decide.policies.pending import obstacle
from splat_operator.decide.policies.permission import forbidden_destination, forbidden_pod
from splat_operator.decide.report import parse_deletion
from splat_operator.decide.status import Verdict, write
from splat_operator.manifests.job import build_cleanup_job, delete_jobs
from splat_operator.manifests.merge import MergeError

DELETED, LEFT = "OutputsDeleted", "OutputsLeft"
"""The ends that it can come to, as reasons of Ready: told first, and let go in a pass of its own."""


def wanted_finalizers(resource: Resource) -> tuple[str, ...]:
    """The finalizers that the resource should have: others' stay as they are. A dry run has no outputs to hold it."""
    others = tuple(name for name in resource.finalizers if name != FINALIZER)
    may_have_outputs = FINALIZER in resource.finalizers or "jobName" in resource.status or not resource.spec.is_dry_run
    is_held = resource.spec.deletes_outputs and may_have_outputs
    if is_held == (FINALIZER in resource.finalizers):
        return resource.finalizers
    return (*others, FINALIZER) if is_held else others


def delete(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    """Delete the outputs if that is asked for, then let the resource go."""
    resource = observed.resource
    if FINALIZER not in resource.finalizers:
        return []
    if not resource.spec.deletes_outputs or _reason(resource) in (DELETED, LEFT):
        return _let_go(observed)
    unfinished = [*observed.jobs, *(job for job in observed.orphans if not job.is_finished)]
    if unfinished or _others(observed):
        return [*delete_jobs(unfinished), *_wait(observed, "Waiting for the run to stop.", now, settings)]
    return _clean_up(observed, now, settings)


def answer_refusal(
    observed: Observed, *, words: str, is_final: bool, now: datetime, settings: Settings
) -> list[Action]:
    """What to do where the API server does not take the Job that deletes; `is_final`: and never will."""
    if is_final:
        return _give_up(observed, words, now)
    return _wait(observed, f"The Job that deletes the outputs cannot be created: {words}", now, settings)


def _give_up(observed: Observed, words: str, now: datetime) -> list[Action]:
    where = observed.resource.spec.output.destination.uri
    return _end(observed, LEFT, f"The outputs below {where} are left: {words}", now)


def _clean_up(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    job = observed.cleanup
    if job is None or job.is_deleting:
        return _begin(observed, now, settings)
    pods = [pod for pod in observed.pods if pod.job_uid == job.uid]
    if job.is_complete:
        return _done(observed, pods, now)
    if job.failure:
        return _give_up(observed, job_cause(job, pods).message, now)
    if any(pod.container.started_at for pod in pods):
        return _wait(observed, f"Job {job.name} deletes the outputs.", now, settings)
    queue = observed.resource.spec.scheduling.queue
    if job.is_suspended and queue and not job.queue:
        # Kueue holds all Jobs here, and admits those that are in a queue.
        return [
            PatchJob(job.name, {}, labels={LABEL_QUEUE: queue}),
            *_wait(observed, f"Job {job.name}, which deletes the outputs, goes into queue {queue}.", now, settings),
        ]
    if job.is_suspended:
        where = f"queue {job.queue}" if job.queue else "suspension, which is not this operator's"
        return _wait(observed, f"Job {job.name}, which deletes the outputs, waits in {where}.", now, settings)
    found = obstacle(observed, job, pods, settings=settings, now=now)
    if found.fails_at and found.fails_at <= now:
        return _give_up(observed, found.message, now)
    changes = [moment for moment in (found.fails_at, found.changes_at) if moment and moment > now]
    return _wait(observed, f"The outputs are being deleted. {found.message}", now, settings, changes)


def _done(observed: Observed, pods: list[Pod], now: datetime) -> list[Action]:
    """What the worker says it has deleted; it keeps what others have made or written over."""
    counts = (parse_deletion(pod.container.termination_message) for pod in pods)
    deleted, kept = next((found for found in counts if found), (None, 0))
    if kept:
        words = f"Outputs that are not this resource's (any more) stay: {kept}; objects deleted: {deleted}."
        return _end(observed, LEFT, words, now)
    return _end(observed, DELETED, f"The outputs are deleted{'' if deleted is None else f'; objects: {deleted}'}.", now)


def _begin(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    resource = observed.resource
    if refusal := forbidden_destination(resource.spec, settings):
        return _give_up(observed, refusal.message, now)
    try:
        manifest = build_cleanup_job(spec=resource.spec, key=resource.key, uid=resource.uid, settings=settings)
    except MergeError as error:
        return _give_up(observed, f"spec.podTemplate cannot be merged: {error}", now)
    if refusal := forbidden_pod(manifest["spec"]["template"], settings):
        return _give_up(observed, refusal.message, now)
    deleting = Verdict(PENDING, "Deleting", "The outputs are being deleted.")
    # Kueue's webhook may suspend it, of which no watch tells, as it is the operator's own write.
    return [CreateJob(manifest), *write(observed, deleting, now=now), Requeue(0)]


def _wait(
    observed: Observed, words: str, now: datetime, settings: Settings, changes: Sequence[datetime] = ()
) -> list[Action]:
    """Say what is waited for, until it happens, time is up, or it `changes` by itself."""
    left = (_deadline(observed, settings) - now).total_seconds()
    if left <= 0:
        return _end(observed, LEFT, _late(observed, words), now)
    return [
        *write(observed, Verdict(PENDING, "Deleting", words), now=now),
        Requeue(min([left, *((moment - now).total_seconds() for moment in changes)])),
    ]


def _end(observed: Observed, reason: str, words: str, now: datetime) -> list[Action]:
    return [*write(observed, Verdict(PENDING, reason, words), now=now), Requeue(0)]


def _let_go(observed: Observed) -> list[Action]:
    """A Job that deletes must not go on, as a new resource of this name may publish to the same place.

    That outputs are left is told before and rather twice than never: nothing else of the resource remains to tell it.
    """
    ready = find(observed.resource.status, "Ready")
    told = [EmitEvent("Warning", LEFT, ready["message"])] if _reason(observed.resource) == LEFT else []
    job, others = observed.cleanup, tuple(name for name in observed.resource.finalizers if name != FINALIZER)
    stopping = delete_jobs([job]) if job and not job.is_finished else []
    return [*told, *stopping, SetFinalizers(others)]


def _others(observed: Observed) -> bool:
    """Whether a pod that is not of the Job that deletes may still write to the destination."""
    own: Job | None = observed.cleanup
    return any(pod.is_active and not (own and pod.job_uid == own.uid) for pod in observed.pods)


def _deadline(observed: Observed, settings: Settings) -> datetime:
    """A Job that deletes has all the time there is, whenever it could be made or its queue let it begin."""
    cleanup = observed.cleanup
    moments = [observed.resource.deleted_at, (cleanup.started_at or cleanup.created_at) if cleanup else None]
    is_queued = cleanup is not None and cleanup.is_suspended
    patience_s = settings.cleanup_queue_deadline_s if is_queued else settings.cleanup_deadline_s
    return max(moment for moment in moments if moment) + timedelta(seconds=patience_s)


def _late(observed: Observed, words: str) -> str:
    where = observed.resource.spec.output.destination.uri
    took = "Deleting the outputs took longer than the operator waits"
    return f"{took}; what is left is below {where}. {words}"


def _reason(resource: Resource) -> str | None:
    return find(resource.status, "Ready").get("reason")
