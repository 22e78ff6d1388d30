"""Objects as the API server gives them: a SplatCompression, its Job and its pods, each with one thing changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from compressions import JOB_UID, KEY, SETTINGS, SPEC, UID
from splat_operator.api.model import Key
from splat_operator.api.names import LABEL_COMPRESSION, LABEL_MANAGED_BY, MANAGER
from splat_operator.api.spec import parse_spec
from splat_operator.manifests.job import build_cleanup_job, build_job

Raw = dict[str, Any]

MADE_AT = "2026-01-01T12:00:00Z"
LABELS = {LABEL_MANAGED_BY: MANAGER, LABEL_COMPRESSION: KEY.name}


def raw_resource(
    version: str | int = 7, *, key: Key = KEY, uid: str = UID, status: Mapping[str, Any] | None = None, **spec: Any
) -> Raw:
    """The resource `garden`, its spec's top-level fields overridden; None removes one."""
    fields = {name: value for name, value in {**SPEC, **spec}.items() if value is not None}
    meta = {"name": key.name, "namespace": key.namespace, "uid": uid, "generation": 1, "resourceVersion": str(version)}
    return copy.deepcopy({"metadata": meta, "spec": fields, **({} if status is None else {"status": status})})


def raw_job(version: str | int = 7, *, owner: Raw | None = None, uid: str = JOB_UID, **status: Any) -> Raw:
    """The Job that the operator makes for the resource."""
    owner = owner or raw_resource()
    return _made(build_job(**_parts(owner)), version, uid, status)


def raw_cleanup(version: str | int = 7, *, owner: Raw | None = None, uid: str = "cleanup", **status: Any) -> Raw:
    """The Job that deletes the resource's outputs."""
    owner = owner or raw_resource()
    return _made(build_cleanup_job(**_parts(owner)), version, uid, status)


def raw_pod(
    version: str | int = 7, *, name: str = "garden-x", key: Key = KEY, job_uid: str = JOB_UID, **status: Any
) -> Raw:
    """A pod of that Job."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": key.name, "uid": job_uid, "controller": True}
    meta = {
        "name": name,
        "namespace": key.namespace,
        "uid": f"uid-of-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": MADE_AT,
        "labels": {**LABELS, LABEL_COMPRESSION: key.name},
        "ownerReferences": [owner],
    }
    return {"metadata": meta, "spec": {"containers": []}, "status": status}


def raw_workload(
    version: str | int = 7, *, spec: Mapping[str, Any] | None = None, status: Mapping[str, Any] | None = None
) -> Raw:
    """Kueue's Workload of that Job."""
    job = raw_job()["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job["name"], "uid": job["uid"], "controller": True}
    meta = {
        "name": f"job-{job['name']}",
        "namespace": job["namespace"],
        "uid": "workload",
        "resourceVersion": str(version),
        "ownerReferences": [owner],
    }
    return copy.deepcopy({"metadata": meta, "spec": dict(spec or {}), "status": dict(status or {})})


def raw_running_pod(version: str | int = 7, **changes: Any) -> Raw:
    """A pod whose worker runs."""
    worker = {"name": "worker", "state": {"running": {"startedAt": MADE_AT}}}
    return raw_pod(version, phase="Running", containerStatuses=[worker], **changes)


def raw_ended_pod(exit_code: int, message: str = "", version: str | int = 7, **changes: Any) -> Raw:
    """A pod whose worker exited with that code and termination message."""
    state = {"terminated": {"exitCode": exit_code, "message": message, "startedAt": MADE_AT, "finishedAt": MADE_AT}}
    phase = "Failed" if exit_code else "Succeeded"
    return raw_pod(version, phase=phase, containerStatuses=[{"name": "worker", "state": state}], **changes)


COMPLETE: Raw = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": MADE_AT, "succeeded": 1}
"""Status of a Job that has succeeded."""


def page(*items: Raw, version: str | int = 100, more: str = "") -> Raw:
    """A list, or a page of it that is continued at `more`."""
    return {"items": [*items], "metadata": {"resourceVersion": str(version), **({"continue": more} if more else {})}}


def _parts(owner: Raw) -> dict[str, Any]:
    meta = owner["metadata"]
    key = Key(meta["namespace"], meta["name"])
    return {"spec": parse_spec(owner["spec"]), "key": key, "uid": meta["uid"], "settings": SETTINGS}


def _made(manifest: Mapping[str, Any], version: str | int, uid: str, status: Raw) -> Raw:
    raw: Raw = copy.deepcopy(dict(manifest))
    raw["metadata"] |= {"uid": uid, "resourceVersion": str(version), "creationTimestamp": MADE_AT}
    return {**raw, "status": {"startTime": MADE_AT, **status}}
