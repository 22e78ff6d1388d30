"""What a pass sees (Observed) and what it wants done (actions): frozen values, no client, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from splat_operator.api.spec import Json, Spec


class Key(NamedTuple):
    """The resource that a pass is about."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Resource:
    """A SplatCompression. `spec` is what the API server holds, with defaults."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    spec: Spec
    status: Json = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    """All of them, other controllers' too."""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Those at least that something is counted by."""
    deleted_at: datetime | None = None
    """When its deletion was asked for."""


@dataclass(frozen=True)
class Job:
    """A Job that the resource controls."""

    name: str
    uid: str
    created_at: datetime
    template_hash: str = ""
    is_owned: bool = True
    """False where its owner reference was removed: it is to be put back."""
    queue: str | None = None
    """Kueue's queue that it is in, by its label; Kueue may have chosen it."""
    own_queue: str | None = None
    """The queue that the operator has put it in."""
    is_deleting: bool = False
    is_suspended: bool = False
    is_suspended_by_us: bool = False
    """Whether the operator has suspended it, and so may resume it."""
    backoff_limit: int | None = None
    active_deadline_s: int | None = None
    ttl_s: int | None = None
    completions: int = 1
    """How many pods must succeed, each with an index of its own if there are several."""
    succeeded_pods: int = 0
    failed_pods: int = 0
    started_at: datetime | None = None
    """When the Job controller took it up; reset when it resumes."""
    finished_at: datetime | None = None
    is_complete: bool = False
    failure: tuple[str, str] | None = None
    """Reason and message of the condition Failed."""

    @property
    def is_finished(self) -> bool:
        """Whether the Job will run no pod any more."""
        return self.is_complete or self.failure is not None


@dataclass(frozen=True)
class Container:
    """The worker container's state: waiting, running or terminated; all None before the kubelet has spoken."""

    waiting: tuple[str, str] | None = None
    """Reason and message."""
    started_at: datetime | None = None
    """When it began to run, whether it still does or not."""
    exit_code: int | None = None
    exit_reason: str = ""
    termination_message: str = ""
    finished_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return self.started_at is not None and self.exit_code is None


@dataclass(frozen=True)
class InitContainer:
    """The first init container that waits for something or has failed."""

    name: str
    state: Container


@dataclass(frozen=True)
class Pod:
    """A pod that carries the resource's label; `job_uid` tells whose it is."""

    name: str
    job_uid: str
    phase: str
    created_at: datetime
    is_deleting: bool = False
    reason: str = ""
    message: str = ""
    scheduled_at: datetime | None = None
    unschedulable: tuple[str, str] | None = None
    """Reason and the scheduler's words."""
    disruption: tuple[str, str] | None = None
    """Reason and message of the condition DisruptionTarget."""
    index: int | None = None
    """Of an Indexed Job's pod: which part of the work is its."""
    container: Container = field(default_factory=Container)
    init: InitContainer | None = None

    @property
    def is_active(self) -> bool:
        """Whether its container may still run."""
        return self.phase not in ("Succeeded", "Failed")


@dataclass(frozen=True)
class Admission:
    """What Kueue says about a Job that it has not let begin."""

    job_uid: str
    message: str


@dataclass(frozen=True)
class Progress:
    """A progress line of the worker's log (docs/job.md)."""

    percent: int
    stage: str
    eta_s: int | None
    scenes_done: int
    scenes_total: int


@dataclass(frozen=True)
class Observed:
    """What is known of the cluster, as far as it concerns one resource."""

    resource: Resource
    jobs: tuple[Job, ...] = ()
    """The Jobs that the resource controls, of this and of earlier specs."""
    pods: tuple[Pod, ...] = ()
    """All pods with the resource's label, of an earlier resource of that name too."""
    progress: Progress | None = None
    cleanup: Job | None = None
    """The Job that deletes the resource's outputs."""
    orphans: tuple[Job, ...] = ()
    """Jobs that the operator made for an earlier resource of that name."""
    is_behind: bool = False
    """Whether the API server may have Jobs or pods that were not seen: a view from the store, of a resource that has or
    had some."""
    admissions: tuple[Admission, ...] = ()
    """Of the Jobs that Kueue manages; also of others' Jobs whose names are alike."""
    same_destination: tuple[Key, ...] = ()
    """Other resources that write to the same object."""
    pod_refusal: str | None = None
    """Why the API server lets the current Job make no pod; None where it has one or that was not asked."""
    has_gpu_nodes: bool | None = None
    """Whether any node has the GPU resource that the spec names; None where that was not asked or is not known."""


@dataclass(frozen=True)
class SetFinalizers:
    """Make the resource's finalizers exactly these. Nothing that follows it in a pass would be accepted."""

    finalizers: tuple[str, ...]


@dataclass(frozen=True)
class CheckJob:
    """Ask the API server whether it would take this Job, without making it."""

    manifest: Json


@dataclass(frozen=True)
class LookAgain:
    """Read the API server itself and decide once more: what is wanted would be wrong if the view were behind."""


@dataclass(frozen=True)
class AdoptJob:
    """Put the operator's labels and the owner reference back on this Job."""

    name: str
    uid: str


@dataclass(frozen=True)
class CreateJob:
    """Make this Job; one of the same name already there is as good if it is the resource's."""

    manifest: Json


@dataclass(frozen=True)
class DeleteJob:
    """Delete exactly this Job and, in the background, its pods."""

    name: str
    uid: str


@dataclass(frozen=True)
class PatchJob:
    """Set these fields of the Job's spec, and these annotations and labels; None removes one."""

    name: str
    fields: Json
    annotations: Json = field(default_factory=dict)
    labels: Json = field(default_factory=dict)


@dataclass(frozen=True)
class WriteStatus:
    """Make the resource's status exactly this."""

    status: Json


@dataclass(frozen=True)
class EmitEvent:
    """Post an Event about the resource; `type` is Normal or Warning."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True)
class CountFinish:
    """Count a run that has just ended; `result` is a terminal phase, `status` what was written of it."""

    result: str
    reason: str
    status: Json = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class CountWait:
    """Count the seconds from a Job's creation to the start of its first pod."""

    seconds: float


@dataclass(frozen=True)
class Requeue:
    """Look again after so many seconds, whatever happens until then."""

    after_s: float


Action = (
    LookAgain
    | AdoptJob
    | SetFinalizers
    | CheckJob
    | CreateJob
    | DeleteJob
    | PatchJob
    | WriteStatus
    | EmitEvent
    | CountFinish
    | CountWait
    | Requeue
)
