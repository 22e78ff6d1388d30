"""Builders of what the operator observes: a SplatCompression, its Job and its pods, each with one thing changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from splat_operator.api.model import (
    Action,
    Container,
    EmitEvent,
    Job,
    Key,
    Observed,
    Pod,
    Progress,
    Resource,
    WriteStatus,
)
from splat_operator.api.settings import Settings
from splat_operator.api.spec import parse_spec
from splat_operator.api.stored_status import read_status
from splat_operator.decide.reconcile import reconcile
from splat_operator.manifests.identity import job_name, template_hash
from splat_operator.manifests.job import SAFE_TTL_S

KEY = Key("default", "garden")
UID = "5b2e8f0a-0000-4000-8000-000000000001"
JOB_UID = "5b2e8f0a-0000-4000-8000-000000000002"
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
SETTINGS = Settings(worker_image="splat-worker:0.1.0")

SPEC: Mapping[str, Any] = {
    "source": {"uri": "s3://scenes/garden.ply"},
    "destination": {"uri": "s3://scenes/compressed/"},
    "s3": {"endpoint": "http://s3.example:8333", "credentialsSecretRef": {"name": "s3-credentials"}},
}

RESULT: Mapping[str, Any] = {
    "version": 1,
    "outputs": [
        {
            "name": "garden",
            "uri": "s3://scenes/compressed/garden.sog",
            "sha256": "ab" * 32,
            "bytes": 100,
            "sourceBytes": 1000,
            "splats": 50,
            "ratio": 10.0,
        }
    ],
    "manifestUri": "s3://scenes/compressed/garden.manifest.json",
    "inputBytes": 1000,
    "outputBytes": 100,
    "splats": 50,
    "seconds": 2.5,
    "gpuSeconds": 1.25,
    "engine": "native",
    "device": "cpu",
}


def at(seconds: float) -> datetime:
    """A moment so many seconds after NOW, before it if negative."""
    return NOW + timedelta(seconds=seconds)


def resource(*, status: Mapping[str, Any] | None = None, generation: int = 1, **spec: Any) -> Resource:
    """The resource `garden`, its spec's top-level fields overridden; None removes one."""
    raw = {name: value for name, value in {**SPEC, **spec}.items() if value is not None}
    return Resource(
        key=KEY,
        uid=UID,
        generation=generation,
        resource_version="7",
        spec=parse_spec(raw),
        status=status or {},
    )


def name_of(owner: Resource) -> str:
    """The Job name that the resource's spec asks for."""
    return job_name(resource_name=owner.key.name, uid=owner.uid, output=owner.spec.output)


def job(owner: Resource | None = None, **changes: Any) -> Job:
    """A Job just made for the resource: taken up by its controller, without a pod."""
    owner = owner or resource()
    spec = owner.spec
    made = Job(
        name=name_of(owner),
        uid=JOB_UID,
        created_at=NOW,
        started_at=NOW,
        template_hash=template_hash(spec.scheduling),
        queue=spec.scheduling.queue,
        own_queue=spec.scheduling.queue,
        is_suspended=spec.suspend or bool(spec.scheduling.queue),
        is_suspended_by_us=spec.suspend,
        backoff_limit=spec.retries,
        active_deadline_s=spec.active_deadline_s,
        ttl_s=spec.ttl_s if (spec.ttl_s or 0) >= SAFE_TTL_S else None,
    )
    return replace(made, **changes)


def pod(**changes: Any) -> Pod:
    """A scheduled pod of the Job whose container is being made."""
    made = Pod(
        name="garden-x",
        job_uid=JOB_UID,
        phase="Pending",
        created_at=NOW,
        scheduled_at=NOW,
        container=Container(waiting=("ContainerCreating", "")),
    )
    return replace(made, **changes)


def waiting_pod(reason: str, message: str = "", **changes: Any) -> Pod:
    """A scheduled pod whose container waits for that reason."""
    return pod(container=Container(waiting=(reason, message)), **changes)


def unschedulable_pod(words: str, **changes: Any) -> Pod:
    """A pod for which the scheduler finds no node."""
    return pod(scheduled_at=None, unschedulable=("Unschedulable", words), container=Container(), **changes)


def running_pod(**changes: Any) -> Pod:
    """A pod whose worker runs."""
    return pod(phase="Running", container=Container(started_at=NOW), **changes)


def succeeded_pod(message: str | None = None, **changes: Any) -> Pod:
    """A pod whose worker left that termination message; a complete result by default."""
    text = json.dumps(RESULT) if message is None else message
    container = Container(exit_code=0, exit_reason="Completed", termination_message=text, finished_at=at(42))
    return pod(phase="Succeeded", container=container, **changes)


def failed_pod(exit_code: int, message: str = "", exit_reason: str = "Error", **changes: Any) -> Pod:
    """A pod whose worker exited with that code and termination message."""
    container = Container(exit_code=exit_code, exit_reason=exit_reason, termination_message=message, finished_at=at(42))
    return pod(phase="Failed", container=container, **changes)


def said(reason: str, message: str) -> str:
    """The termination message of a worker that failed with these words."""
    return json.dumps({"version": 1, "error": {"reason": reason, "message": message}})


def observed(
    owner: Resource | None = None,
    *,
    jobs: Iterable[Job] = (),
    pods: Iterable[Pod] = (),
    progress: Progress | None = None,
) -> Observed:
    """One look at the cluster."""
    return Observed(resource=owner or resource(), jobs=tuple(jobs), pods=tuple(pods), progress=progress)


def decide(seen: Observed, *, now: datetime = NOW, settings: Settings = SETTINGS) -> list[Action]:
    """What the operator does about it."""
    return reconcile(seen, now=now, settings=settings)


def stored(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status as the operator reads it back after it was written."""
    return read_status(json.loads(json.dumps(status)))


def after(seen: Observed, *, now: datetime = NOW, **changes: Any) -> Resource:
    """The resource as the actions on `seen` leave it."""
    return replace(seen.resource, status=stored(written(decide(seen, now=now))), **changes)


def settled(outcome: Pod | None = None, *, reason: str = "PodFailurePolicy", **spec: Any) -> Resource:
    """A resource whose run has ended: in success, or in the failure of that pod and with that reason of the Job."""
    owner = resource(**spec)
    done = job(owner, is_complete=True, finished_at=at(42))
    failed = job(owner, failure=(reason, ""), failed_pods=1, finished_at=at(42))
    return after(observed(owner, jobs=[failed if outcome else done], pods=[outcome or succeeded_pod()]))


def written(actions: Iterable[Action]) -> Mapping[str, Any]:
    """The status that the actions write."""
    return next(action.status for action in actions if isinstance(action, WriteStatus))


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The condition of that type."""
    return next(item for item in status["conditions"] if item["type"] == kind)


def of_type(actions: Iterable[Action], kind: type[Any] | tuple[type[Any], ...]) -> list[Any]:
    """The actions of that kind, or of one of several."""
    return [action for action in actions if isinstance(action, kind)]


def events(actions: Iterable[Action]) -> list[tuple[str, str]]:
    """Types and reasons of the Events."""
    return [(event.type, event.reason) for event in of_type(actions, EmitEvent)]
