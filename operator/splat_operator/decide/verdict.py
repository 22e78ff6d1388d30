"""Where does a run stand? The verdict on a resource's Job and its pods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from splat_operator.api.model import Job, Observed, Pod
from splat_operator.api.names import (
    FAILED,
    PENDING,
    PERMANENT_EXIT_CODES,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    SUSPENDED,
    TERMINAL_PHASES,
)
from splat_operator.api.settings import Settings
from splat_operator.decide.events import FINISHING
from splat_operator.decide.policies.drift import is_held_by_others
from splat_operator.decide.policies.failure import is_failed_attempt, job_cause, last_failed, pod_cause
from splat_operator.decide.policies.pending import Obstacle, current_pod, obstacle
from splat_operator.decide.report import Result, merge_results, parse_result
from splat_operator.decide.status import Verdict
from splat_operator.decide.usage import used

SUSPENDED_BY_USER = Verdict(SUSPENDED, "Suspended", "Suspended by spec.suspend; set it to false to run.")
RESULT_MISSING = "ResultMissing"


def judge(observed: Observed, job: Job, now: datetime, settings: Settings) -> tuple[Verdict, float | None]:
    """Where the run stands, and in how many seconds time alone may change that; None: only events can."""
    verdict, look_again_s = _judge(observed, job, now, settings)
    if verdict.phase not in TERMINAL_PHASES:
        return verdict, look_again_s
    scheduling, pods = observed.resource.spec.scheduling, pods_of(observed, job)
    usage = used(pods, scheduling, settings, ended=job.finished_at)
    return replace(verdict, facts={**verdict.facts, **usage}), look_again_s


def _judge(observed: Observed, job: Job, now: datetime, settings: Settings) -> tuple[Verdict, float | None]:
    spec, pods = observed.resource.spec, pods_of(observed, job)
    if job.is_complete:
        return _succeeded(job, pods), None
    if job.failure:
        cause = job_cause(job, pods)
        return Verdict(FAILED, cause.reason, cause.message), None
    if spec.suspend:
        return SUSPENDED_BY_USER, None
    if is_held_by_others(job, phase=observed.resource.status.get("phase")):
        return queued(job.name, job.queue, words=_words_of_kueue(observed, job)), None
    if begun := _begun(job, pods) or _ended(job, pods, spec.retries):
        return begun, None
    verdict, look_again_s = _pending(observed, job, pods, now, settings)
    if verdict.phase == PENDING and job.completions > 1 and any(pod.phase == "Succeeded" for pod in pods):
        return Verdict(RUNNING, "Running", f"Some pods have ended. {verdict.message}"), look_again_s
    return verdict, look_again_s


def queued(job_name: str, queue: str | None, *, words: str = "") -> Verdict:
    """The verdict on a Job that somebody else, Kueue as a rule, has not let begin; `words` are Kueue's own."""
    if queue and words:
        return Verdict(QUEUED, "Queued", f"Job {job_name} waits in queue {queue}: {words.rstrip('.')}.")
    if queue:
        return Verdict(QUEUED, "Queued", f"Job {job_name} waits in queue {queue} until Kueue admits it.")
    words = f"Job {job_name} is suspended, and not by this operator: it runs when Kueue, or who set it, sets"
    return Verdict(QUEUED, "Queued", f"{words} suspend to false.")


def _words_of_kueue(observed: Observed, job: Job) -> str:
    return next((each.message for each in observed.admissions if each.job_uid == job.uid), "")


def pods_of(observed: Observed, job: Job) -> list[Pod]:
    """The Job's own pods."""
    return [pod for pod in observed.pods if pod.job_uid == job.uid]


def results(pods: Iterable[Pod]) -> list[Result]:
    """What the pods that succeeded say, one of each index, by index; those that cannot be read are left out."""
    succeeded = sorted(pods, key=lambda pod: pod.index or 0)
    messages = {pod.index: pod.container.termination_message for pod in succeeded if pod.phase == "Succeeded"}
    return [result for result in map(parse_result, messages.values()) if result]


def is_result_lost(observed: Observed, job: Job) -> bool:
    """Whether all pods of a complete Job were gone before their results were read, for the first time.

    What they have published is not known here; another run finds it, at little cost where the cache is used.
    """
    has_pod = any(pod.phase == "Succeeded" for pod in pods_of(observed, job))
    was_so = any(entry["reason"] == RESULT_MISSING for entry in observed.resource.status.get("failures", []))
    return job.is_complete and not has_pod and not was_so


def _begun(job: Job, pods: Iterable[Pod]) -> Verdict | None:
    """The verdict while a worker runs, or has just ended in a pod that has not."""
    active = [pod for pod in pods if pod.is_active and not pod.is_deleting]
    running = [pod for pod in active if pod.container.is_running]
    if len(running) == 1 and job.completions == 1:
        return Verdict(RUNNING, "Running", f"Pod {running[0].name} is running.")
    if running:
        stuck = next((f" Pod {pod.name} waits: {_trouble(pod)}" for pod in active if _trouble(pod)), "")
        return Verdict(RUNNING, "Running", f"{len(running)} of {job.completions} pods are running.{stuck}")
    pod = current_pod(active)
    if pod and pod.container.exit_code is not None:
        return _finishing(f"Pod {pod.name} is ending.")
    return None


def _trouble(pod: Pod) -> str:
    """What keeps a pod from running, in the scheduler's or the kubelet's words."""
    _, words = pod.unschedulable or pod.container.waiting or ("", "")
    return words


def _ended(job: Job, pods: Sequence[Pod], retries: int) -> Verdict | None:
    """The verdict after a pod has ended and before the Job controller has drawn its conclusion or made the next."""
    if current_pod(pods):
        return None
    succeeded = {pod.index for pod in pods if pod.phase == "Succeeded"}
    if len(succeeded) >= job.completions:
        return _finishing("The last pod has ended.")
    failed = last_failed(pods)
    if failed is None:
        return None
    # A disruption uses up no retry.
    attempts = sum(is_failed_attempt(pod) and pod.disruption is None for pod in pods)
    if failed.container.exit_code in PERMANENT_EXIT_CODES or attempts > retries:
        return _finishing("The last pod has ended.")
    return Verdict(PENDING, "Retrying", f"{pod_cause(failed).message} Trying again.")


def _finishing(message: str) -> Verdict:
    return Verdict(RUNNING, FINISHING, message, is_passing=True)


def _pending(
    observed: Observed, job: Job, pods: Sequence[Pod], now: datetime, settings: Settings
) -> tuple[Verdict, float | None]:
    found = obstacle(observed, job, pods, settings=settings, now=now)
    if found.fails_at and found.fails_at <= now:
        return Verdict(FAILED, found.reason, found.message), None
    speaks_at = _speaks_at(found, job, pods, settings)
    moments = [moment for moment in (found.fails_at, found.changes_at, speaks_at) if moment and moment > now]
    verdict = Verdict(PENDING, found.reason, found.message, is_passing=bool(speaks_at and now < speaks_at))
    return verdict, min(((moment - now).total_seconds() for moment in moments), default=None)


def _speaks_at(found: Obstacle, job: Job, pods: Sequence[Pod], settings: Settings) -> datetime | None:
    """When a step that every run goes through has taken so long that a person would read about it."""
    if found.reason not in ("Starting", "WaitingForPod"):
        return None
    pod = current_pod(pods)
    return (pod.created_at if pod else job.started_at or job.created_at) + timedelta(seconds=settings.quiet_s)


def _succeeded(job: Job, pods: Iterable[Pod]) -> Verdict:
    read = results(pods)
    if not read:
        text = "The worker finished but left no result that can be read; its pod's log may tell why. Run it again."
        return Verdict(FAILED, RESULT_MISSING, f"Job {job.name}: {text}")
    result = merge_results(read)
    count, ratio = result.scenes, result.status.get("compressionRatio")
    # From the result: the log's last line may come after the pod has ended, and is not read any more.
    progress = {"percent": 100, "stage": "done", "scenesDone": count, "scenesTotal": count}
    verdict = Verdict(SUCCEEDED, "Succeeded", "", {"progress": progress, **result.status})
    if result.is_cached and len(read) == job.completions:
        message = f"Nothing to do: {result.place} is made from the same already."
        return replace(verdict, reason="CacheHit", message=message)
    smaller = f", {ratio} times smaller" if ratio else ""
    # The Job is complete, so all is published; a pod that is gone since has taken its figures along.
    lost = job.completions - len(read)
    gone = f" The figures lack those of {lost} pods that are gone; the manifest has all." if lost else ""
    return replace(verdict, message=f"Compressed to {result.place}{smaller}.{gone}")
