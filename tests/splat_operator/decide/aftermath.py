"""What a look at the cluster becomes by what was done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from compressions import NOW, stored
from splat_operator.api.model import (
    Action,
    AdoptJob,
    CreateJob,
    DeleteJob,
    Job,
    Observed,
    PatchJob,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import ANNOTATION_SUSPENDED
from splat_operator.api.times import format_time
from splat_operator.cluster.parsing import parse_job


def applied(seen: Observed, actions: Iterable[Action], now: datetime = NOW) -> Observed:
    """What the store has after the actions: the resource and the Jobs as they leave them."""
    for action in actions:
        match action:
            case WriteStatus(status):
                seen = replace(seen, resource=replace(seen.resource, status=stored(status)))
            case SetFinalizers(finalizers):
                seen = replace(seen, resource=replace(seen.resource, finalizers=finalizers))
            case CreateJob(manifest):
                seen = _with_job(seen, manifest, now)
            case DeleteJob(uid=uid):
                seen = _changed(seen, "uid", uid, is_deleting=True)
            case AdoptJob(uid=uid):
                seen = _changed(seen, "uid", uid, is_owned=True)
            case PatchJob(name, fields, annotations):
                changes = {_FIELDS[each]: value for each, value in fields.items()}
                if ANNOTATION_SUSPENDED in annotations:
                    changes["is_suspended_by_us"] = annotations[ANNOTATION_SUSPENDED] is not None
                seen = _changed(seen, "name", name, **changes)
    return seen


_FIELDS = {
    "suspend": "is_suspended",
    "backoffLimit": "backoff_limit",
    "activeDeadlineSeconds": "active_deadline_s",
    "ttlSecondsAfterFinished": "ttl_s",
}


def _with_job(seen: Observed, manifest: Mapping[str, Any], now: datetime) -> Observed:
    meta = {**manifest["metadata"], "uid": "made", "creationTimestamp": format_time(now)}
    made = parse_job({**manifest, "metadata": meta})
    return replace(seen, cleanup=made) if seen.resource.deleted_at else replace(seen, jobs=(*seen.jobs, made))


def _changed(seen: Observed, field: str, value: str, **changes: Any) -> Observed:
    """With changes to the Job whose UID or name that is."""

    def change(jobs: Iterable[Job]) -> tuple[Job, ...]:
        return tuple(replace(job, **changes) if getattr(job, field) == value else job for job in jobs)

    cleanup = change([seen.cleanup])[0] if seen.cleanup else None
    return replace(seen, jobs=change(seen.jobs), orphans=change(seen.orphans), cleanup=cleanup)
