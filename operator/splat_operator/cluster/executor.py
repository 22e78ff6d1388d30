"""Execution of actions, in the order that keeps promises: Jobs first, then the status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from splat_operator.api.model import (
    Action,
    AdoptJob,
    CheckJob,
    CreateJob,
    DeleteJob,
    PatchJob,
    Resource,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import LABEL_CLEANUP, PLURAL
from splat_operator.api.spec import Json
from splat_operator.cluster import paths
from splat_operator.cluster.connection import (
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    STRATEGIC_PATCH,
    UNPROCESSABLE,
    ApiError,
    Connection,
)
from splat_operator.cluster.parsing import belongs_to
from splat_operator.cluster.paths import JOBS
from splat_operator.cluster.store import Store
from splat_operator.manifests.job import labels, owner_reference

STRICT = {"fieldValidation": "Strict"}
"""A field that the API does not know is refused, not dropped."""


class JobRefusedError(ApiError):
    """The API server refused to create a Job: quota, admission, an invalid manifest, a name that is taken."""

    @property
    def is_invalid(self) -> bool:
        """Whether the manifest is what is wrong, so that it is refused until the spec changes.

        A webhook may refuse with any status, and may think otherwise later.
        """
        is_webhook = str(self).startswith("admission webhook")
        return self.code == UNPROCESSABLE or (self.code == BAD_REQUEST and not is_webhook)

    @property
    def is_final(self) -> bool:
        """Whether it will refuse for as long as the resource is as it is."""
        return self.is_invalid or "NamespaceTerminating" in self.causes


class StatusRefusedError(ApiError):
    """The API server finds the status invalid."""


class Executor:
    """Writes, and lets the store know at once what it has written.

    Args:
        connection: to the API server.
        store: what the watches have brought; the answers to writes go there, too.
    """

    def __init__(self, connection: Connection, store: Store) -> None:
        self._connection = connection
        self._store = store

    async def execute(self, resource: Resource, action: Action) -> None:
        """Execute one action; those that write nothing are left to others.

        Raises JobRefusedError where a Job may not be made, StatusRefusedError where the status may not be so, else
        ApiError; 409 where the resource has changed meanwhile.
        """
        match action:
            case SetFinalizers(finalizers):
                await self._set_finalizers(resource, finalizers)
            case CheckJob(manifest):
                await self._create_job(resource, manifest, {**STRICT, "dryRun": "All"})
            case CreateJob(manifest):
                await self._create_job(resource, manifest, STRICT)
            case DeleteJob(name, uid):
                await self._delete_job(resource, name, uid)
            case AdoptJob(name, uid):
                await self._adopt_job(resource, name, uid)
            case PatchJob():
                await self._patch_job(resource, action)
            case WriteStatus(status):
                await self._write_status(resource, status)

    async def _write_status(self, resource: Resource, status: Json) -> None:
        try:
            raw = await self._connection.patch(f"{paths.resource(resource.key)}/status", status_patch(resource, status))
        except ApiError as error:
            if error.code == UNPROCESSABLE:
                raise StatusRefusedError(error.code, str(error), error.causes) from error
            raise
        self._store.put(PLURAL, raw)

    async def _set_finalizers(self, resource: Resource, finalizers: Sequence[str]) -> None:
        """A merge patch replaces the list, so it must be the one that was seen; 404: the resource is gone already."""
        metadata = {"resourceVersion": resource.resource_version, "finalizers": list(finalizers)}
        try:
            await self._connection.patch(paths.resource(resource.key), {"metadata": metadata})
        except ApiError as error:
            if error.code != NOT_FOUND:
                raise

    async def _create_job(self, resource: Resource, manifest: Json, query: Mapping[str, str]) -> None:
        try:
            raw = await self._connection.post(paths.jobs(resource.key.namespace), manifest, query)
        except ApiError as error:
            if error.code == CONFLICT:
                await self._take_existing_job(resource, manifest["metadata"]["name"])
            elif error.code in (BAD_REQUEST, FORBIDDEN, NOT_FOUND, UNPROCESSABLE):
                raise JobRefusedError(error.code, str(error), error.causes) from error
            else:
                # It may be made nevertheless, and its pods, too.
                self._store.doubt(resource.key)
                raise
        else:
            if "dryRun" not in query:
                self._store.put(JOBS, raw)

    async def _take_existing_job(self, resource: Resource, name: str) -> None:
        """The Job of that name is the one wanted, as the name says it all; or somebody has made another by hand."""
        try:
            raw = await self._connection.get(f"{paths.jobs(resource.key.namespace)}/{name}")
        except ApiError as error:
            if error.code == NOT_FOUND:  # Deleted since: the next pass makes it.
                raise ApiError(CONFLICT, f"Job {name} was deleted while it was to be made") from error
            raise
        found = (raw["metadata"].get("labels") or {}).items()
        is_cleanup = found >= _cleanup(resource).items()
        if not (belongs_to(raw, resource.uid) or is_cleanup):
            message = f"Job {name} of this namespace is not this resource's, which needs that name; delete that Job."
            raise JobRefusedError(CONFLICT, message)
        if found >= labels(resource.key.name).items():
            self._store.put(JOBS, raw)
        else:
            await self._adopt_job(resource, name, raw["metadata"]["uid"], is_owned=not is_cleanup)

    async def _adopt_job(self, resource: Resource, name: str, uid: str, *, is_owned: bool = True) -> None:
        owners = {"ownerReferences": [owner_reference(resource.key, resource.uid)]} if is_owned else {}
        metadata = {"uid": uid, "labels": labels(resource.key.name), **owners}
        await self._write_job(resource, name, {"metadata": metadata}, STRATEGIC_PATCH)

    async def _delete_job(self, resource: Resource, name: str, uid: str) -> None:
        """404: gone already; 409: one of that name but another UID, which the next look will find."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._connection.delete(f"{paths.jobs(resource.key.namespace)}/{name}", options)
        except ApiError as error:
            if error.code not in (NOT_FOUND, CONFLICT):
                raise
        self._store.mark_deleted(resource.key, uid)

    async def _patch_job(self, resource: Resource, patch: PatchJob) -> None:
        metadata = {name: part for name, part in (("annotations", patch.annotations), ("labels", patch.labels)) if part}
        body = {**({"spec": patch.fields} if patch.fields else {}), **({"metadata": metadata} if metadata else {})}
        await self._write_job(resource, patch.name, body, STRATEGIC_PATCH)

    async def _write_job(self, resource: Resource, name: str, body: Json, content_type: str) -> None:
        """404: gone already; 409: one of that name but another UID."""
        path = f"{paths.jobs(resource.key.namespace)}/{name}"
        try:
            raw = await self._connection.patch(path, body, content_type=content_type)
        except ApiError as error:
            if error.code not in (NOT_FOUND, CONFLICT):
                raise
        else:
            self._store.put(JOBS, raw)


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


def _cleanup(resource: Resource) -> dict[str, str]:
    """The label of the Job that deletes the resource's outputs, which has no owner."""
    return {LABEL_CLEANUP: resource.uid}
