"""What to do about one resource, given one look at the cluster. Pure: no client, no clock, no memory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from splat_operator.events import FINISHING, transition
from splat_operator.identity import job_name, template_hash
from splat_operator.job import build_job
from splat_operator.model import Action, CreateJob, DeleteJob, Job, Observed, PatchJob, Pod, Requeue, WriteStatus
from splat_operator.names import FAILED, PENDING, PERMANENT_EXIT_CODES, RUNNING, SUCCEEDED, SUSPENDED
from splat_operator.policies.failure import is_failed_attempt, job_cause, last_failed, pod_cause
from splat_operator.policies.pending import current_pod, obstacle
from splat_operator.policies.support import unsupported
from splat_operator.policies.suspend import drift
from splat_operator.report import parse_result
from splat_operator.settings import Settings
from splat_operator.status import Status, Verdict, acknowledge, compose, is_settled


def reconcile(observed: Observed, *, now: datetime, settings: Settings) -> list[Action]:
    """Actions in the order of their execution: Jobs, then at most one status, then its events.

    Any prefix of them may be all that happens: the next look at the cluster leads to the rest.
    """
    resource = observed.resource
    desired = job_name(resource_name=resource.key.name, uid=resource.uid, output=resource.spec.output)
    if resource.is_deleting:
        return []
    if is_settled(resource.status, desired):
        return _settled(observed, desired)
    refusal = unsupported(resource.raw_spec)
    if refusal:
        verdict = Verdict(FAILED, "NotSupported", refusal)
        return [
            *_delete(observed.jobs),
            *_write(observed, compose(observed, verdict, job_name=None, job=None, now=now)),
        ]
    obsolete = [job for job in observed.jobs if job.name != desired or job.is_deleting or _is_outdated(job, observed)]
    current = next((job for job in observed.jobs if job not in obsolete), None)
    if current:
        return [*_delete(obsolete), *_follow(observed, current, now, settings)]
    if obsolete or _strangers(observed):
        return [*_delete(obsolete), *_wait_for_earlier(observed, now, settings)]
    return _create(observed, desired, now, settings)


def refused(observed: Observed, *, code: int, words: str, now: datetime) -> list[Action]:
    """What to do when the API server refused to create the Job with that HTTP status and these words.

    An invalid Job (422) stays invalid until the spec changes; a quota or a policy may let it pass later.
    """
    phase, reason = (FAILED, "InvalidJob") if code == 422 else (PENDING, "JobRefused")
    verdict = Verdict(phase, reason, f"The Job cannot be created: {words}")
    return _write(observed, compose(observed, verdict, job_name=None, job=None, now=now))


def _settled(observed: Observed, desired: str) -> list[Action]:
    """The outcome is in the status: only now may the Job go, by its TTL or, if it still holds a GPU, at once."""
    resource = observed.resource
    actions: list[Action] = []
    for job in observed.jobs:
        if job.name != desired or not job.is_finished:
            actions += _delete([job])
        elif job.ttl_s != resource.spec.ttl_s:
            actions.append(PatchJob(job.name, {"ttlSecondsAfterFinished": resource.spec.ttl_s}))
    return [*actions, *_write(observed, acknowledge(resource.status, resource.generation))]


def _create(observed: Observed, desired: str, now: datetime, settings: Settings) -> list[Action]:
    resource = observed.resource
    manifest = build_job(spec=resource.spec, key=resource.key, uid=resource.uid, settings=settings)
    verdict = (
        _suspended() if resource.spec.suspend else Verdict(PENDING, "Created", f"Job {desired} waits for its pod.")
    )
    status = compose(observed, verdict, job_name=desired, job=None, now=now)
    return [CreateJob(manifest), *_write(observed, status), Requeue(settings.no_pod_grace_s)]


def _wait_for_earlier(observed: Observed, now: datetime, settings: Settings) -> list[Action]:
    """Two runs never write to one destination at a time: the next one waits until the earlier one's pods are gone."""
    pods = _strangers(observed)
    what = f"pod {pods[0].name}" if pods else "the Job"
    verdict = Verdict(PENDING, "Replacing", f"Waiting for {what} of the earlier run to stop.")
    status = compose(observed, verdict, job_name=None, job=None, now=now)
    return [*_write(observed, status), Requeue(settings.progress_interval_s)]


def _follow(observed: Observed, job: Job, now: datetime, settings: Settings) -> list[Action]:
    """Bring the Job's changeable fields up to date, and the status up to the Job."""
    verdict, look_again_s = _judge(observed, job, now, settings)
    changes = {} if job.is_finished or verdict.phase == FAILED else drift(job, observed.resource.spec)
    patch = [PatchJob(job.name, changes)] if changes else []
    status = compose(observed, verdict, job_name=job.name, job=job, now=now)
    return [*patch, *_write(observed, status), Requeue(look_again_s)]


def _judge(observed: Observed, job: Job, now: datetime, settings: Settings) -> tuple[Verdict, float]:
    """Where the run stands, and in how many seconds to look again."""
    pods = [pod for pod in observed.pods if pod.job_uid == job.uid]
    if job.is_complete:
        return _succeeded(job, pods), 0
    if job.failure:
        cause = job_cause(job, pods)
        return Verdict(FAILED, cause.reason, cause.message), 0
    if observed.resource.spec.suspend:
        return _suspended(), settings.resync_interval_s
    pod = current_pod(pods)
    if pod and pod.container.exit_code is not None:
        return Verdict(RUNNING, FINISHING, f"Pod {pod.name} is ending."), settings.progress_interval_s
    if pod and pod.container.running_since:
        return Verdict(RUNNING, "Running", f"Pod {pod.name} is running."), settings.progress_interval_s
    ended = None if pod else _ended(pods, observed.resource.spec.retries)
    return (ended, settings.progress_interval_s) if ended else _pending(observed, job, pods, now, settings)


def _ended(pods: list[Pod], retries: int) -> Verdict | None:
    """The verdict after a pod has ended and before the Job controller has drawn its conclusion or made the next."""
    failed = last_failed(pods)
    if failed is None and not any(pod.phase == "Succeeded" for pod in pods):
        return None
    attempts = sum(map(is_failed_attempt, pods))
    is_last = failed is None or failed.container.exit_code in PERMANENT_EXIT_CODES or attempts > retries
    if failed is None or is_last:
        return Verdict(RUNNING, FINISHING, "The last pod has ended.")
    return Verdict(PENDING, "Retrying", f"{pod_cause(failed).message} Trying again.")


def _pending(observed: Observed, job: Job, pods: list[Pod], now: datetime, settings: Settings) -> tuple[Verdict, float]:
    found = obstacle(resource=observed.resource, job=job, pods=pods, settings=settings, now=now)
    if found.fails_at and found.fails_at <= now:
        return Verdict(FAILED, found.reason, found.message), 0
    moments = [moment for moment in (found.fails_at, found.changes_at) if moment and moment > now]
    waits = [(moment - now).total_seconds() for moment in moments]
    return Verdict(PENDING, found.reason, found.message), min([*waits, settings.resync_interval_s])


def _succeeded(job: Job, pods: list[Pod]) -> Verdict:
    messages = [pod.container.termination_message for pod in pods if pod.phase == "Succeeded"]
    results = [result for result in map(parse_result, messages) if result]
    if not results:
        text = "The worker finished but left no result that can be read; its pod's log may tell why. Run it again."
        return Verdict(FAILED, "ResultMissing", f"Job {job.name}: {text}")
    status, count = results[-1].status, results[-1].scenes
    # From the result: the log's last line may come after the pod has ended, and is not read any more.
    facts = {"progress": {"percent": 100, "stage": "done", "scenesDone": count, "scenesTotal": count}, **status}
    ratio = status.get("compressionRatio")
    smaller = f", {ratio} times smaller" if ratio else ""
    where = status["outputs"][0]["uri"] if count == 1 else status.get("manifestUri", f"{count} outputs")
    if results[-1].is_cached:
        return Verdict(SUCCEEDED, "CacheHit", f"Nothing to do: {where} is made from the same already.", facts=facts)
    return Verdict(SUCCEEDED, "Succeeded", f"Compressed to {where}{smaller}.", facts=facts)


def _suspended() -> Verdict:
    return Verdict(SUSPENDED, "Suspended", "Suspended by spec.suspend; set it to false to run.")


def _is_outdated(job: Job, observed: Observed) -> bool:
    """Whether the Job's pods would still be made from scheduling fields that have changed, and none has started."""
    if job.is_finished or job.template_hash == template_hash(observed.resource.spec.scheduling):
        return False
    pods = [pod for pod in observed.pods if pod.job_uid == job.uid]
    return job.failed_pods == 0 and all(pod.phase == "Pending" for pod in pods)


def _strangers(observed: Observed) -> list[Pod]:
    """Pods that may still write to the destination and are not of a Job that is there."""
    jobs = {job.uid for job in observed.jobs}
    return [pod for pod in observed.pods if pod.is_active and pod.job_uid not in jobs]


def _delete(jobs: Iterable[Job]) -> list[Action]:
    return [DeleteJob(job.name, job.uid) for job in jobs if not job.is_deleting]


def _write(observed: Observed, status: Status) -> list[Action]:
    """The status and what its change gives; nothing where it is as it was."""
    before = observed.resource.status
    return [] if status == before else [WriteStatus(status), *transition(before, status)]
