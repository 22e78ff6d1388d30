"""What to do about a resource that is being deleted: its outputs go with it, if it says so, or are left after a while.

A finalizer holds the resource until then. Its Jobs are stopped first, so that nothing is published behind the back of
the Job that deletes, and that Job is made at most once at a time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from splat_operator.conditions import find
from splat_operator.job import build_cleanup_job
from splat_operator.model import (
    Action,
    CreateJob,
    DeleteJob,
    EmitEvent,
    Job,
    Observed,
    Requeue,
    Resource,
    SetFinalizers,
)
from splat_operator.names import FINALIZER, PENDING
from splat_operator.policies.failure import job_cause
from splat_operator.policies.pending import obstacle
from splat_operator.policies.permission import forbidden_place, forbidden_pod
from splat_operator.settings import Settings
from splat_operator.status import Verdict, write
from splat_operator.strategic_merge import MergeError

DELETED, LEFT = "OutputsDeleted", "OutputsLeft"
"""The ends that it can come to, as reasons of Ready: told first, and let go in a pass of its own."""


def wanted_finalizers(resource: Resource) -> tuple[str, ...]:
    """The finalizers that the resource should have: others' stay as they are. A dry run has no outputs to hold it."""
    others = tuple(name for name in resource.finalizers if name != FINALIZER)
    is_held = resource.spec.deletes_outputs and (FINALIZER in resource.finalizers or not resource.spec.is_dry_run)
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
    stopping: list[Action] = [DeleteJob(job.name, job.uid) for job in observed.jobs if not job.is_deleting]
    if now >= _deadline(resource, settings):
        return [*stopping, *_end(observed, LEFT, _late(observed, settings), now)]
    if observed.jobs or _others(observed):
        return [*stopping, *_wait(observed, "Waiting for the run to stop.", now, settings)]
    return _clean_up(observed, now, settings)


def give_up(observed: Observed, words: str, now: datetime) -> list[Action]:
    """What to do where the Job that deletes can never be made."""
    return _end(observed, LEFT, f"The outputs are left where they are: {words}", now)


def _clean_up(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    job = observed.cleanup
    if job is None or job.is_deleting:
        return _begin(observed, now, settings)
    if job.is_complete:
        return _end(observed, DELETED, "The outputs are deleted.", now)
    pods = [pod for pod in observed.pods if pod.job_uid == job.uid]
    if job.failure:
        return give_up(observed, job_cause(job, pods).message, now)
    if any(pod.container.is_running for pod in pods):
        return _wait(observed, f"Job {job.name} deletes the outputs.", now, settings)
    found = obstacle(observed, job, pods, settings=settings, now=now)
    if found.fails_at and found.fails_at <= now:
        return give_up(observed, found.message, now)
    return _wait(observed, f"The outputs are being deleted. {found.message}", now, settings)


def _begin(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    resource = observed.resource
    if refusal := forbidden_place(resource.spec, settings):
        return give_up(observed, refusal.message, now)
    try:
        manifest = build_cleanup_job(spec=resource.spec, key=resource.key, uid=resource.uid, settings=settings)
    except MergeError as error:
        return give_up(observed, f"{error}.", now)
    if refusal := forbidden_pod(manifest["spec"]["template"], settings):
        return give_up(observed, refusal.message, now)
    return [CreateJob(manifest), *_wait(observed, "The outputs are being deleted.", now, settings)]


def _wait(observed: Observed, words: str, now: datetime, settings: Settings) -> list[Action]:
    left = (_deadline(observed.resource, settings) - now).total_seconds()
    return [
        *write(observed, Verdict(PENDING, "Deleting", words), now=now),
        Requeue(min(left, settings.progress_interval_s)),
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
    stopping = [DeleteJob(job.name, job.uid)] if job and not (job.is_finished or job.is_deleting) else []
    return [*told, *stopping, SetFinalizers(others)]


def _others(observed: Observed) -> bool:
    """Whether a pod that is not of the Job that deletes may still write to the destination."""
    own: Job | None = observed.cleanup
    return any(pod.is_active and not (own and pod.job_uid == own.uid) for pod in observed.pods)


def _deadline(resource: Resource, settings: Settings) -> datetime:
    since = resource.deleted_at or datetime.max
    return since + timedelta(seconds=settings.cleanup_deadline_s)


def _late(observed: Observed, settings: Settings) -> str:
    where = observed.resource.spec.output.destination.uri
    return f"Deleting the outputs took longer than {settings.cleanup_deadline_s:g} s; what is left is below {where}."


def _reason(resource: Resource) -> str | None:
    return find(resource.status, "Ready").get("reason")
