"""Why did a pod fail, and why the Job?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from splat_operator.api.model import InitContainer, Job, Pod
from splat_operator.api.names import EXIT_REASONS, PERMANENT_EXIT_CODES
from splat_operator.api.times import format_time
from splat_operator.decide.limits import clean_text
from splat_operator.decide.report import MAX_WORDS, parse_failure

MAX_FAILURES = 5


@dataclass(frozen=True)
class Cause:
    """A reason (a CamelCase word) and one sentence for the reader."""

    reason: str
    message: str


def pod_cause(pod: Pod) -> Cause:
    """Why this failed pod failed: what ended it from outside, else the worker's own words, else its exit code."""
    from_outside = (pod.reason, pod.message) if pod.reason == "Evicted" else pod.disruption
    if from_outside:
        reason, words = from_outside
        return Cause(reason, f"Pod {pod.name} was ended from outside: {_words(words)}.")
    if pod.container.exit_reason == "OOMKilled":
        return Cause("OOMKilled", "The worker ran out of memory; raise spec.resources.limits.memory.")
    if pod.init and pod.init.state.exit_code:
        return _init_cause(pod, pod.init)
    if pod.container.exit_code is None:
        words = _words(pod.message or pod.reason) or "the kubelet gives no reason"
        return Cause(pod.reason or "PodFailed", f"Pod {pod.name} failed: {words}.")
    said = parse_failure(pod.container.termination_message)
    return Cause(said.reason, said.message) if said else _exit_cause(pod, pod.container.exit_code)


def job_cause(job: Job, pods: Iterable[Pod]) -> Cause:
    """Why this failed Job failed: its deadline, else the last failed pod's cause, else the Job's own condition."""
    reason, message = job.failure or ("JobFailed", "")
    if reason == "DeadlineExceeded":
        limit = f"spec.activeDeadlineSeconds ({job.active_deadline_s} s)"
        return Cause(reason, f"The run took longer than {limit}; raise it or compress a smaller scene.")
    pods = list(pods)
    # Of several pods at a time one may have been disrupted after that failure; it has used no retry.
    last = last_failed(pod for pod in pods if pod.disruption is None) or last_failed(pods)
    if last is None:
        return Cause(reason, f"Job {job.name} failed and left no pod to tell why: {_words(message or reason)}.")
    cause = pod_cause(last)
    attempts = f" All {job.failed_pods} attempts failed." if job.failed_pods > 1 and job.completions == 1 else ""
    return Cause(cause.reason, cause.message + attempts)


def last_failed(pods: Iterable[Pod]) -> Pod | None:
    """The failed attempt that decided: one that no retry can help, else the one that was created last."""

    def weight(pod: Pod) -> tuple[bool, datetime]:
        return pod.container.exit_code in PERMANENT_EXIT_CODES, pod.created_at

    return max(filter(is_failed_attempt, pods), key=weight, default=None)


def is_failed_attempt(pod: Pod) -> bool:
    """Whether the pod failed by itself or was disrupted: one that was deleted, as suspending does, has not failed."""
    return pod.phase == "Failed" and (not pod.is_deleting or pod.disruption is not None)


def failures(before: Iterable[Mapping[str, Any]], pods: Iterable[Pod]) -> list[dict[str, Any]]:
    """The last five failed attempts, oldest first: of those already recorded, whose pods may be gone, and the pods'.

    All are put in order before the oldest are cut, so that what was cut once does not come back.
    """
    by_pod = {pod.name: _entry(pod) for pod in pods if is_failed_attempt(pod)}
    by_pod |= {str(entry["pod"]): dict(entry) for entry in before}
    return sorted(by_pod.values(), key=lambda entry: (entry["time"], entry["pod"]))[-MAX_FAILURES:]


def _entry(pod: Pod) -> dict[str, Any]:
    cause, code = pod_cause(pod), pod.container.exit_code
    return {
        "pod": pod.name,
        "reason": cause.reason,
        **({} if code is None else {"exitCode": code}),
        "message": cause.message,
        "time": format_time(pod.container.finished_at or pod.created_at),
    }


def _init_cause(pod: Pod, init: InitContainer) -> Cause:
    what, code = f"Init container {init.name} of pod {pod.name}", init.state.exit_code
    if init.state.exit_reason == "OOMKilled":
        return Cause("OOMKilled", f"{what} ran out of memory; raise its limit in spec.podTemplate.")
    words = _words(init.state.termination_message)
    told = f": {words}" if words else f"; `kubectl logs {pod.name} -c {init.name}` tells more"
    return Cause("InitContainerFailed", f"{what} exited with code {code}{told}.")


def _exit_cause(pod: Pod, code: int) -> Cause:
    reason = EXIT_REASONS.get(code) or pod.container.exit_reason or "Error"
    words = _words(pod.container.termination_message)
    # runc's words about a container that could not be started stand where the worker's would.
    if pod.container.exit_reason in ("StartError", "ContainerCannotRun") and words:
        return Cause(reason, f"The worker could not be started: {words}; check spec.image.")
    return Cause(reason, f"The worker exited with code {code} and no message; `kubectl logs {pod.name}` tells more.")


def _words(text: str) -> str:
    return clean_text(text, MAX_WORDS).rstrip(".")
