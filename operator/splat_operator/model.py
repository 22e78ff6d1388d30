"""What a pass sees (Observed) and what it wants done (actions): frozen values, no client, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from splat_operator.spec import Spec

Json = Mapping[str, Any]


class Key(NamedTuple):
    """The resource that a pass is about."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Resource:
    """A SplatCompression. `raw_spec` is what the API server holds, `spec` the same with defaults."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    spec: Spec
    raw_spec: Json = field(default_factory=dict)
    status: Json = field(default_factory=dict)
    is_deleting: bool = False


@dataclass(frozen=True)
class Job:
    """A Job that the resource controls."""

    name: str
    uid: str
    created_at: datetime
    template_hash: str = ""
    is_deleting: bool = False
    is_suspended: bool = False
    backoff_limit: int | None = None
    active_deadline_s: int | None = None
    ttl_s: int | None = None
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
    running_since: datetime | None = None
    exit_code: int | None = None
    exit_reason: str = ""
    termination_message: str = ""
    finished_at: datetime | None = None


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
    container: Container = field(default_factory=Container)

    @property
    def is_active(self) -> bool:
        """Whether its container may still run."""
        return self.phase not in ("Succeeded", "Failed")


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
    """One look at the cluster."""

    resource: Resource
    jobs: tuple[Job, ...] = ()
    """The Jobs that the resource controls, of this and of earlier specs."""
    pods: tuple[Pod, ...] = ()
    """All pods with the resource's label, of an earlier resource of that name too."""
    progress: Progress | None = None


@dataclass(frozen=True)
class CreateJob:
    """Make this Job; one of the same name already there is as good."""

    manifest: Json


@dataclass(frozen=True)
class DeleteJob:
    """Delete exactly this Job and, in the background, its pods."""

    name: str
    uid: str


@dataclass(frozen=True)
class PatchJob:
    """Set these fields of the Job's spec; None removes one."""

    name: str
    fields: Json


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
    """Count a run that has just ended; `result` is a terminal phase."""

    result: str
    reason: str


@dataclass(frozen=True)
class Requeue:
    """Look again after so many seconds, whatever happens until then."""

    after_s: float


Action = CreateJob | DeleteJob | PatchJob | WriteStatus | EmitEvent | CountFinish | Requeue
