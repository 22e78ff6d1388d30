"""What keeps a pod from running, and does that end the run?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from splat_operator.api.model import Container, Job, Observed, Pod, Resource
from splat_operator.api.settings import Settings

UNSCHEDULABLE = "Unschedulable"
IMAGE_PULL = "ImagePullBackOff"
CONFIGURATION = "Configuration"
NO_POD = "NoPod"

_IMAGE_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
)
PENDING_REASONS = (
    *(NO_POD, "WaitingForPod", "Starting", UNSCHEDULABLE, "SchedulingGated", IMAGE_PULL),
    *("CreateContainerError", "RunContainerError", "CrashLoopBackOff", "InitContainerWaiting"),
)
"""What a run may have waited for when its pending deadline came; a new reason of the kubelet's is none of them."""
_AGAIN = "then change any field of spec, or delete this resource and apply it again"


@dataclass(frozen=True)
class Obstacle:
    """Why nothing runs yet: a reason, one sentence, and what the passing of time makes of it."""

    reason: str
    message: str
    fails_at: datetime | None = None
    """When the run fails with these words if nothing changes; None: it may wait for ever."""
    changes_at: datetime | None = None
    """When the words will be others."""


def obstacle(observed: Observed, job: Job, pods: Iterable[Pod], *, settings: Settings, now: datetime) -> Obstacle:
    """The obstacle of a Job none of whose pods runs; `pods` are the Job's own."""
    pods = list(pods)
    pod = current_pod(pods)
    found = _no_pod(job, observed, settings, now) if pod is None else _pod_obstacle(pod, observed, settings)
    # Pods that share a run wait for each other's GPUs.
    ends = [each.container.finished_at for each in pods if each.container.finished_at]
    since = job.started_at if pod is None else max([pod.created_at, *ends])
    return _with_deadline(found, since, observed.resource.spec.pending_deadline_s)


def current_pod(pods: Iterable[Pod]) -> Pod | None:
    """The youngest pod that may still run."""
    active = (pod for pod in pods if pod.is_active and not pod.is_deleting)
    return max(active, key=lambda pod: pod.created_at, default=None)


def job_without_pod(observed: Observed, now: datetime, settings: Settings) -> Job | None:
    """The Job that has had the time to make a pod and has none."""
    patience = timedelta(seconds=settings.no_pod_grace_s)
    waiting = (job for job in observed.jobs if job.started_at and now >= job.started_at + patience)
    open_ones = (job for job in waiting if not (job.is_finished or job.is_suspended or job.failed_pods))
    return None if observed.pods else next(open_ones, None)


def _with_deadline(found: Obstacle, since: datetime | None, deadline_s: int | None) -> Obstacle:
    """A Job that its controller has not taken up, such as one that has just been resumed, has no such moment yet."""
    if since is None or deadline_s is None or found.reason == CONFIGURATION:
        return found
    return Obstacle(found.reason, found.message, since + timedelta(seconds=deadline_s), found.changes_at)


def _no_pod(job: Job, observed: Observed, settings: Settings, now: datetime) -> Obstacle:
    patience_ends = (job.started_at or now) + timedelta(seconds=settings.no_pod_grace_s)
    if now < patience_ends or job.failed_pods:
        return Obstacle("WaitingForPod", f"Job {job.name} waits for its pod.", changes_at=patience_ends)
    if observed.pod_refusal:
        return Obstacle(NO_POD, f"Job {job.name} cannot make its pod: {observed.pod_refusal}")
    return Obstacle(NO_POD, f"Job {job.name} has made no pod yet; `kubectl describe job {job.name}` tells why.")


def _pod_obstacle(pod: Pod, observed: Observed, settings: Settings) -> Obstacle:
    if pod.unschedulable:
        reason, words = pod.unschedulable
        why = "" if observed.has_gpu_nodes is not False else _no_gpu_message(observed.resource)
        return Obstacle(reason, f"Pod {pod.name} cannot be scheduled: {words}{why}")
    if pod.init and pod.init.state.waiting:
        return _container_obstacle(pod, pod.init.state, f"init container {pod.init.name}", observed, settings)
    return _container_obstacle(pod, pod.container, "container", observed, settings)


def _container_obstacle(pod: Pod, container: Container, what: str, observed: Observed, settings: Settings) -> Obstacle:
    reason, words = container.waiting or ("", "")
    if reason == "CreateContainerConfigError":
        patience_ends = (pod.scheduled_at or pod.created_at) + timedelta(seconds=settings.config_error_grace_s)
        message = _configuration_message(what, words, observed.resource)
        return Obstacle(CONFIGURATION, message, fails_at=patience_ends)
    if reason in _IMAGE_REASONS:
        return Obstacle(IMAGE_PULL, f"Pod {pod.name} cannot get the image of its {what}: {words or reason}")
    if reason not in ("", "ContainerCreating", "PodInitializing"):
        return Obstacle(reason, f"Pod {pod.name} cannot start its {what}: {words or reason}")
    return Obstacle("Starting", f"Pod {pod.name} is starting.")


def _no_gpu_message(resource: Resource) -> str:
    return (
        f" No node of this cluster has {resource.spec.scheduling.gpu_resource}: install its device plugin, add such a"
        " node, or correct spec.gpu.resourceName; spec.gpu.count 0 runs on the CPU."
    )


def _configuration_message(what: str, words: str, resource: Resource) -> str:
    """The kubelet's words name the missing Secret or key; they lack the namespace and what to do."""
    remedy = "add it to the Secret" if "find key" in words else f"create it in namespace {resource.key.namespace}"
    again = "" if resource.deleted_at else f", {_AGAIN}"
    subject = "The worker's container" if what == "container" else f"The pod's {what}"
    return f"{subject} cannot be made: {words}; {remedy}{again}."
