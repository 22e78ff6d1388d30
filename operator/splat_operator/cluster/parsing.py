"""From the API's objects, as dictionaries, to the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from splat_operator.api.model import Container, Job, Key, Observed, Pod, Resource
from splat_operator.api.names import ANNOTATION_INDEX, ANNOTATION_TEMPLATE, CONTAINER, LABEL_CLEANUP, LABEL_QUEUE
from splat_operator.api.spec import parse_spec
from splat_operator.api.times import parse_time

Json = Mapping[str, Any]

_EPOCH = datetime.fromtimestamp(0, UTC)


def assemble(resource: Resource, raw_jobs: Iterable[Json], raw_pods: Iterable[Json]) -> Observed:
    """Tell the resource's own Jobs from those of an earlier one of its name; all carry its label."""
    own, cleanup, orphans = [], None, []
    for raw in raw_jobs:
        uid, cleans_up_for = controller_uid(raw), raw["metadata"].get("labels", {}).get(LABEL_CLEANUP)
        if uid == resource.uid:
            own.append(parse_job(raw))
        elif cleans_up_for == resource.uid:
            cleanup = parse_job(raw)
        elif uid or cleans_up_for:
            orphans.append(parse_job(raw))
    pods = tuple(map(parse_pod, raw_pods))
    return Observed(resource, tuple(own), pods, cleanup=cleanup, orphans=tuple(orphans))


def parse_resource(raw: Json) -> Resource:
    """A SplatCompression."""
    meta = raw["metadata"]
    return Resource(
        key=Key(meta["namespace"], meta["name"]),
        uid=meta["uid"],
        generation=meta.get("generation", 1),
        resource_version=meta["resourceVersion"],
        spec=parse_spec(raw.get("spec", {})),
        status=raw.get("status", {}),
        finalizers=tuple(meta.get("finalizers", ())),
        deleted_at=parse_time(meta.get("deletionTimestamp")),
    )


def parse_job(raw: Json) -> Job:
    """A Job of batch/v1."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status", {})
    complete, failed = _condition(status, "Complete"), _condition(status, "Failed")
    return Job(
        name=meta["name"],
        uid=meta["uid"],
        created_at=_created(meta),
        template_hash=meta.get("annotations", {}).get(ANNOTATION_TEMPLATE, ""),
        queue=meta.get("labels", {}).get(LABEL_QUEUE),
        is_deleting="deletionTimestamp" in meta,
        is_suspended=spec.get("suspend", False),
        backoff_limit=spec.get("backoffLimit"),
        active_deadline_s=spec.get("activeDeadlineSeconds"),
        ttl_s=spec.get("ttlSecondsAfterFinished"),
        completions=spec.get("completions", 1),
        failed_pods=status.get("failed", 0),
        started_at=parse_time(status.get("startTime")),
        finished_at=parse_time(status.get("completionTime") or failed.get("lastTransitionTime")),
        is_complete=bool(complete),
        failure=(failed.get("reason", ""), failed.get("message", "")) if failed else None,
    )


def parse_pod(raw: Json) -> Pod:
    """A Pod of v1; one without a controller has an empty `job_uid`."""
    meta, status = raw["metadata"], raw.get("status", {})
    scheduled, disruption = _condition(status, "PodScheduled"), _condition(status, "DisruptionTarget")
    return Pod(
        name=meta["name"],
        job_uid=controller_uid(raw) or "",
        phase=status.get("phase", "Pending"),
        created_at=_created(meta),
        is_deleting="deletionTimestamp" in meta,
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        scheduled_at=parse_time(scheduled.get("lastTransitionTime")),
        unschedulable=_unschedulable(status),
        disruption=(disruption.get("reason", ""), disruption.get("message", "")) if disruption else None,
        index=_index(meta),
        container=_container(status),
    )


def controller_uid(raw: Json) -> str | None:
    """UID of the object's controller."""
    owners = raw["metadata"].get("ownerReferences", [])
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _created(meta: Json) -> datetime:
    return parse_time(meta.get("creationTimestamp")) or _EPOCH


def _condition(status: Json, condition_type: str, value: str = "True") -> Json:
    """The condition of that type if it has that status, else an empty mapping."""
    found = (item for item in status.get("conditions") or [] if item["type"] == condition_type)
    return next((item for item in found if item.get("status") == value), {})


def _index(meta: Json) -> int | None:
    text = str(meta.get("annotations", {}).get(ANNOTATION_INDEX, ""))
    return int(text) if text.isdecimal() else None


def _unschedulable(status: Json) -> tuple[str, str] | None:
    condition = _condition(status, "PodScheduled", "False")
    return (condition.get("reason", "Unschedulable"), condition.get("message", "")) if condition else None


def _container(status: Json) -> Container:
    statuses = status.get("containerStatuses") or []
    state: Json = next((item.get("state", {}) for item in statuses if item["name"] == CONTAINER), {})
    waiting, running, terminated = state.get("waiting"), state.get("running") or {}, state.get("terminated") or {}
    return Container(
        waiting=(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None,
        started_at=parse_time(running.get("startedAt") or terminated.get("startedAt")),
        exit_code=terminated.get("exitCode"),
        exit_reason=terminated.get("reason", ""),
        termination_message=terminated.get("message", ""),
        finished_at=parse_time(terminated.get("finishedAt")),
    )
