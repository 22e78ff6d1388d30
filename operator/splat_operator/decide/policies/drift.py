"""What of an unfinished Job has drifted from what the spec allows to change in place?"""

from __future__ import annotations

from typing import Any

from splat_operator.api.model import Action, Job, PatchJob
from splat_operator.api.names import ANNOTATION_SUSPENDED, SUSPENDED
from splat_operator.api.spec import Spec


def correct(job: Job, spec: Spec, *, phase: str | None) -> list[Action]:
    """The patch that brings the Job up to date, if it needs one; `phase` is the one that the status has.

    Suspending stops the Job's pods and uses up no retry; both are the Job controller's work.
    """
    wanted = {
        "backoffLimit": (job.backoff_limit, spec.retries),
        "activeDeadlineSeconds": (job.active_deadline_s, spec.active_deadline_s),
    }
    fields: dict[str, Any] = {name: should for name, (is_now, should) in wanted.items() if is_now != should}
    if spec.suspend and not job.is_suspended:
        return [PatchJob(job.name, {**fields, "suspend": True}, {ANNOTATION_SUSPENDED: "true"})]
    if not spec.suspend and job.is_suspended and not is_held_by_others(job, phase=phase):
        return [PatchJob(job.name, {**fields, "suspend": False}, {ANNOTATION_SUSPENDED: None})]
    # Somebody else has let it go on: what suspends it from now on is not the operator's.
    undone = {ANNOTATION_SUSPENDED: None} if not spec.suspend and job.is_suspended_by_us else {}
    return [PatchJob(job.name, fields, undone)] if fields or undone else []


def is_held_by_others(job: Job, *, phase: str | None) -> bool:
    """Whether somebody else has suspended the Job, such as Kueue, who alone may let it begin.

    Kueue suspends Jobs of a queue, into which it puts those that name none where the administrator wants that, and with
    `manageJobsWithoutQueueName` any Job. One that the resource's status says to be suspended was so by the operator.
    """
    is_ours = job.is_suspended_by_us or phase == SUSPENDED
    return job.is_suspended and (bool(job.queue) or not is_ours)


def must_give_way(job: Job, spec: Spec, *, phase: str | None) -> bool:
    """Whether a Job is to be suspended, but its `suspend` is not the operator's to set.

    That is a Job of a queue, one that is held by others, or one that was let go on after the operator had suspended it:
    the place in the queue is given up with the Job.
    """
    if not spec.suspend:
        return False
    is_undone = job.is_suspended_by_us and not job.is_suspended
    return bool(job.queue) or is_undone or is_held_by_others(job, phase=phase)
