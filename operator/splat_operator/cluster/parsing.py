"""From the API's objects, as dictionaries, to the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from splat_operator.api.model import Container, InitContainer, Job, Key, Observed, Pod, Resource
from splat_operator.api.names import (
    ANNOTATION_INDEX,
    ANNOTATION_QUEUE,
    ANNOTATION_SUSPENDED,
    ANNOTATION_TEMPLATE,
    ANNOTATION_UID,
    CONTAINER,
    GROUP,
    KIND,
    LABEL_CLEANUP,
    LABEL_MANAGED_BY,
    LABEL_QUEUE,
    MANAGER,
)
from splat_operator.api.spec import Json, parse_spec
from splat_operator.api.stored_status import read_status
from splat_operator.api.times import parse_time

_EPOCH = datetime.fromtimestamp(0, UTC)


def assemble(
    resource: Resource, raw_jobs: Iterable[Json], raw_pods: Iterable[Json], *, is_behind: bool = False
) -> Observed:
    """Tell the resource's own Jobs from those of an earlier one of its name, and from others'; all carry its label.

    Others' Jobs and their pods are left out: they are not the operator's to touch or to wait for.
    """
    own, cleanup, orphans, others = [], None, [], set()
    for raw in raw_jobs:
        if belongs_to(raw, resource.uid):
            own.append(parse_job(raw))
        elif _cleans_up_for(raw) == resource.uid:
            cleanup = parse_job(raw)
        elif _is_of_an_earlier_resource(raw):
            orphans.append(parse_job(raw))
        else:
            others.add(raw["metadata"]["uid"])
    pods = [parse_pod(raw) for raw in raw_pods if _may_be_a_run(raw)]
    return Observed(
        resource,
        tuple(own),
        tuple(pod for pod in pods if pod.job_uid not in others),
        cleanup=cleanup,
        orphans=tuple(orphans),
        is_behind=is_behind,
    )


def parse_resource(raw: Json) -> Resource:
    """A SplatCompression."""
    meta = raw["metadata"]
    return Resource(
        key=Key(meta["namespace"], meta["name"]),
        uid=meta["uid"],
        generation=meta.get("generation", 1),
        resource_version=meta["resourceVersion"],
        spec=parse_spec(raw.get("spec", {})),
        status=read_status(raw.get("status")),
        finalizers=tuple(meta.get("finalizers", ())),
        labels=meta.get("labels") or {},
        deleted_at=parse_time(meta.get("deletionTimestamp")),
    )


def parse_job(raw: Json) -> Job:
    """A Job of batch/v1."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status", {})
    annotations = meta.get("annotations") or {}
    complete, failed = _condition(status, "Complete"), _condition(status, "Failed")
    return Job(
        name=meta["name"],
        uid=meta["uid"],
        created_at=_created(meta),
        template_hash=annotations.get(ANNOTATION_TEMPLATE, ""),
        is_owned=bool(_controller(raw)),
        queue=(meta.get("labels") or {}).get(LABEL_QUEUE),
        own_queue=annotations.get(ANNOTATION_QUEUE),
        is_deleting="deletionTimestamp" in meta,
        is_suspended=spec.get("suspend", False),
        is_suspended_by_us=ANNOTATION_SUSPENDED in annotations,
        backoff_limit=spec.get("backoffLimit"),
        active_deadline_s=spec.get("activeDeadlineSeconds"),
        ttl_s=spec.get("ttlSecondsAfterFinished"),
        completions=spec.get("completions", 1),
        succeeded_pods=status.get("succeeded", 0),
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
        job_uid=_controller(raw).get("uid", ""),
        phase=status.get("phase", "Pending"),
        created_at=_created(meta),
        is_deleting="deletionTimestamp" in meta,
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        scheduled_at=parse_time(scheduled.get("lastTransitionTime")),
        unschedulable=_unschedulable(status),
        disruption=(disruption.get("reason", ""), disruption.get("message", "")) if disruption else None,
        index=_index(meta),
        container=_worker(status),
        init=_init(status),
    )


def belongs_to(raw: Json, uid: str) -> bool:
    """Whether a Job is of the resource with that UID: it owns it, or nobody does and it was made for it."""
    owner = _controller(raw)
    if not owner:
        return _made_for(raw) == uid
    return _is_ours(owner) and str(owner["uid"]) == uid


def _is_of_an_earlier_resource(raw: Json) -> bool:
    """Whether the operator has made the Job for another resource of that name: others' are never touched."""
    owner = _controller(raw)
    return _is_ours(owner) if owner else bool(_made_for(raw) or _cleans_up_for(raw))


def _made_for(raw: Json) -> str | None:
    """UID of the resource that the operator made the Job for; its owner reference may have been removed since."""
    uid: str | None = (raw["metadata"].get("annotations") or {}).get(ANNOTATION_UID)
    return uid


def _cleans_up_for(raw: Json) -> str | None:
    labels = raw["metadata"].get("labels") or {}
    return labels.get(LABEL_CLEANUP) if labels.get(LABEL_MANAGED_BY) == MANAGER and not _controller(raw) else None


def _controller(raw: Json) -> Json:
    """The owner reference of the object's controller, or an empty mapping."""
    owners = raw["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})


def _is_ours(owner: Json) -> bool:
    """UIDs are unique, but a reference says what it refers to by kind and API group too."""
    return bool(owner.get("kind") == KIND) and str(owner.get("apiVersion")).partition("/")[0] == GROUP


def _may_be_a_run(raw: Json) -> bool:
    """Whether a pod is a Job's, or nobody's, as one whose Job was deleted alone."""
    return bool(_controller(raw).get("kind", "Job") == "Job")


def _created(meta: Json) -> datetime:
    return parse_time(meta.get("creationTimestamp")) or _EPOCH


def _condition(status: Json, condition_type: str, value: str = "True") -> Json:
    """The condition of that type if it has that status, else an empty mapping."""
    found = (item for item in status.get("conditions") or [] if item["type"] == condition_type)
    return next((item for item in found if item.get("status") == value), {})


def _index(meta: Json) -> int | None:
    text = str((meta.get("annotations") or {}).get(ANNOTATION_INDEX, ""))
    return int(text) if text.isdecimal() else None


def _unschedulable(status: Json) -> tuple[str, str] | None:
    condition = _condition(status, "PodScheduled", "False")
    return (condition.get("reason", "Unschedulable"), condition.get("message", "")) if condition else None


def _worker(status: Json) -> Container:
    found = (item for item in status.get("containerStatuses") or [] if item["name"] == CONTAINER)
    return _container(next(found, {}))


def _init(status: Json) -> InitContainer | None:
    """The first init container that has not succeeded, if it says why: the kubelet runs one after the other."""
    statuses: Sequence[Json] = status.get("initContainerStatuses") or []
    for item in statuses:
        state = _container(item)
        if state.exit_code or (state.waiting and state.waiting[0] not in ("", "PodInitializing")):
            return InitContainer(item["name"], state)
        if state.exit_code is None and not item.get("started"):
            return None
    return None


def _container(item: Mapping[str, Json]) -> Container:
    state: Json = item.get("state") or {}
    waiting, running, terminated = state.get("waiting"), state.get("running") or {}, state.get("terminated") or {}
    return Container(
        waiting=(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None,
        started_at=parse_time(running.get("startedAt") or terminated.get("startedAt")),
        exit_code=terminated.get("exitCode"),
        exit_reason=terminated.get("reason", ""),
        termination_message=terminated.get("message", ""),
        finished_at=parse_time(terminated.get("finishedAt")),
    )
