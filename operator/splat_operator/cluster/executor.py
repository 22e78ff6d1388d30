"""Execution of actions, in the order that keeps promises: Jobs, then the status, then the Events that tell of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from splat_operator.api.model import (
    Action,
    CheckJob,
    CreateJob,
    DeleteJob,
    EmitEvent,
    PatchJob,
    Resource,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import GROUP, KIND, MANAGER, VERSION
from splat_operator.api.times import format_time
from splat_operator.cluster import paths
from splat_operator.cluster.connection import ApiError, Connection

MAX_NOTE = 1024
"""Bytes of an Event's message that the API server takes."""


class JobRefusedError(ApiError):
    """The API server refused to create a Job: quota, admission, a manifest that it finds invalid."""

    @property
    def is_final(self) -> bool:
        """Whether it will refuse for as long as the resource exists."""
        return "NamespaceTerminating" in self.causes


async def execute(connection: Connection, resource: Resource, actions: Iterable[Action]) -> None:
    """Execute the actions in their order up to the first that fails, whose error is raised.

    Raises JobRefusedError where a Job may not be made, else ApiError; 409 where the resource has changed meanwhile.
    """
    for action in actions:
        match action:
            case SetFinalizers(finalizers):
                await _set_finalizers(connection, resource, finalizers)
            case CheckJob(manifest):
                await _create_job(connection, resource, manifest, query={"dryRun": "All"})
            case CreateJob(manifest):
                await _create_job(connection, resource, manifest)
            case DeleteJob(name, uid):
                await _delete_job(connection, resource, name, uid)
            case PatchJob(name, fields):
                await _patch_job(connection, resource, name, fields)
            case WriteStatus(status):
                await connection.patch(f"{paths.resource(resource.key)}/status", status_patch(resource, status))
            case EmitEvent():
                await _emit(connection, resource, action)


def status_patch(resource: Resource, status: Mapping[str, Any]) -> dict[str, Any]:
    """Merge patch from the resource's status to `status`; refused by the API server if the resource has changed."""
    return {
        "metadata": {"resourceVersion": resource.resource_version},
        "status": merge_patch(resource.status, status),
    }


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7386) that leads from one object to the other."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            patch |= {name: inner} if (inner := merge_patch(old, value)) else {}
        elif name not in before or old != value:
            patch[name] = value
    return patch


async def _set_finalizers(connection: Connection, resource: Resource, finalizers: Sequence[str]) -> None:
    """A merge patch replaces the list, so it must be the one that was seen; 404: the resource is gone already."""
    metadata = {"resourceVersion": resource.resource_version, "finalizers": list(finalizers)}
    try:
        await connection.patch(paths.resource(resource.key), {"metadata": metadata})
    except ApiError as error:
        if error.code != 404:
            raise


async def _create_job(
    connection: Connection, resource: Resource, manifest: Mapping[str, Any], query: Mapping[str, str] | None = None
) -> None:
    try:
        await connection.post(paths.jobs(resource.key.namespace), manifest, query)
    except ApiError as error:
        if error.code == 409:  # The name says it all: the Job that is there is the one wanted.
            return
        if error.code in (400, 403, 404, 422):
            raise JobRefusedError(error.code, str(error), error.causes) from error
        raise


async def _delete_job(connection: Connection, resource: Resource, name: str, uid: str) -> None:
    """404: gone already; 409: one of that name but another UID, which the next look will find."""
    options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
    try:
        await connection.delete(f"{paths.jobs(resource.key.namespace)}/{name}", options)
    except ApiError as error:
        if error.code not in (404, 409):
            raise


async def _patch_job(connection: Connection, resource: Resource, name: str, fields: Mapping[str, Any]) -> None:
    try:
        await connection.patch(f"{paths.jobs(resource.key.namespace)}/{name}", {"spec": fields})
    except ApiError as error:
        if error.code != 404:
            raise


async def _emit(connection: Connection, resource: Resource, event: EmitEvent) -> None:
    """403, 404: the namespace is being deleted or is gone, and nothing else must wait for an Event."""
    try:
        await connection.post(paths.events(resource.key.namespace), _event(resource, event))
    except ApiError as error:
        if error.code not in (403, 404):
            raise


def _event(resource: Resource, event: EmitEvent) -> dict[str, Any]:
    now = format_time(datetime.now(UTC))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{resource.key.name}.{uuid.uuid4().hex[:16]}", "namespace": resource.key.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": resource.key.namespace,
            "name": resource.key.name,
            "uid": resource.uid,
            "resourceVersion": resource.resource_version,
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message.encode()[:MAX_NOTE].decode(errors="ignore"),
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
