"""Where does a run stand? The verdict on a resource's Job and its pods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from splat_operator.api.model import Job, Observed, Pod
from splat_operator.api.names import FAILED, PENDING, PERMANENT_EXIT_CODES, QUEUED, RUNNING, SUCCEEDED, SUSPENDED
from splat_operator.api.settings import Settings
from splat_operator.decide.events import FINISHING
from splat_operator.decide.policies.failure import is_failed_attempt, job_cause, last_failed, pod_cause
from splat_operator.decide.policies.pending import current_pod, obstacle
from splat_operator.decide.report import Result, merge_results, parse_result
from splat_operator.decide.status import Verdict

SUSPENDED_BY_USER = Verdict(SUSPENDED, "Suspended", "Suspended by spec.suspend; set it to false to run.")


def judge(observed: Observed, job: Job, now: datetime, settings: Settings) -> tuple[Verdict, float]:
    """Where the run stands, and in how many seconds to look again."""
    spec, pods = observed.resource.spec, pods_of(observed, job)
    if job.is_complete:
        return _succeeded(job, pods), 0
    if job.failure:
        cause = job_cause(job, pods)
        return Verdict(FAILED, cause.reason, cause.message), 0
    if spec.suspend:
        return SUSPENDED_BY_USER, settings.resync_interval_s
    if job.is_suspended and job.queue:
        return queued(job.name, job.queue), settings.resync_interval_s
    if begun := _begun(job, pods) or _ended(job, pods, spec.retries):
        return begun, settings.progress_interval_s
    verdict, look_again_s = _pending(observed, job, pods, now, settings)
    if verdict.phase == PENDING and job.completions > 1 and any(pod.phase == "Succeeded" for pod in pods):
        return Verdict(RUNNING, "Running", f"Some pods have ended. {verdict.message}"), look_again_s
    return verdict, look_again_s


def queued(job_name: str, queue: str) -> Verdict:
    """The verdict on a Job that Kueue has not let begin."""
    return Verdict(QUEUED, "Queued", f"Job {job_name} waits in queue {queue} until Kueue admits it.")


def pods_of(observed: Observed, job: Job) -> list[Pod]:
    """The Job's own pods."""
    return [pod for pod in observed.pods if pod.job_uid == job.uid]


def results(pods: Iterable[Pod]) -> list[Result]:
    """What the pods that succeeded say, one of each index, by index; those that cannot be read are left out."""
    succeeded = sorted(pods, key=lambda pod: pod.index or 0)
    messages = {pod.index: pod.container.termination_message for pod in succeeded if pod.phase == "Succeeded"}
    return [result for result in map(parse_result, messages.values()) if result]


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
        return Verdict(RUNNING, FINISHING, f"Pod {pod.name} is ending.")
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
        return Verdict(RUNNING, FINISHING, "The last pod has ended.")
    failed = last_failed(pods)
    if failed is None:
        return None
    attempts = sum(map(is_failed_attempt, pods))
    if failed.container.exit_code in PERMANENT_EXIT_CODES or attempts > retries:
        return Verdict(RUNNING, FINISHING, "The last pod has ended.")
    return Verdict(PENDING, "Retrying", f"{pod_cause(failed).message} Trying again.")


def _pending(
    observed: Observed, job: Job, pods: Sequence[Pod], now: datetime, settings: Settings
) -> tuple[Verdict, float]:
    found = obstacle(observed, job, pods, settings=settings, now=now)
    if found.fails_at and found.fails_at <= now:
        return Verdict(FAILED, found.reason, found.message), 0
    moments = [moment for moment in (found.fails_at, found.changes_at) if moment and moment > now]
    waits = [(moment - now).total_seconds() for moment in moments]
    return Verdict(PENDING, found.reason, found.message), min([*waits, settings.resync_interval_s])


def _succeeded(job: Job, pods: Iterable[Pod]) -> Verdict:
    read = results(pods)
    if not read:
        text = "The worker finished but left no result that can be read; its pod's log may tell why. Run it again."
        return Verdict(FAILED, "ResultMissing", f"Job {job.name}: {text}")
    result = merge_results(read)
    count, ratio = result.scenes, result.status.get("compressionRatio")
    # From the result: the log's last line may come after the pod has ended, and is not read any more.
    progress = {"percent": 100, "stage": "done", "scenesDone": count, "scenesTotal": count}
    facts = {"progress": progress, **result.status}
    if result.is_cached and len(read) == job.completions:
        return Verdict(SUCCEEDED, "CacheHit", f"Nothing to do: {result.place} is made from the same already.", facts)
    smaller = f", {ratio} times smaller" if ratio else ""
    # The Job is complete, so all is published; a pod that is gone since has taken its figures along.
    lost = job.completions - len(read)
    gone = f" The figures lack those of {lost} pods that are gone; the manifest has all." if lost else ""
    return Verdict(SUCCEEDED, "Succeeded", f"Compressed to {result.place}{smaller}.{gone}", facts)
