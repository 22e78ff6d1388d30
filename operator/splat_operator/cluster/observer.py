"""Looks at one resource: in the store, and where that may be behind, at the API server itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from splat_operator.api.model import Key, Observed
from splat_operator.api.names import LABEL_COMPRESSION
from splat_operator.api.settings import Settings
from splat_operator.cluster import paths
from splat_operator.cluster.connection import FORBIDDEN, NOT_FOUND, ApiError, Connection
from splat_operator.cluster.nodes import Nodes
from splat_operator.cluster.parsing import assemble, parse_resource
from splat_operator.cluster.store import Store
from splat_operator.decide.policies.pending import job_without_pod


class Observer:
    """Sees one resource with its Jobs and pods.

    Args:
        connection: to the API server.
        store: what the watches have brought.
        settings: of the operator.
    """

    def __init__(self, connection: Connection, store: Store, settings: Settings) -> None:
        self._connection = connection
        self._store = store
        self._settings = settings
        self._nodes = Nodes(connection)

    async def glance(self, key: Key, now: datetime) -> Observed | None:
        """What the store has, without a request in all but two cases; None where the resource is gone or another's.

        They are a pod that finds no room and a Job that can make no pod: why so stands elsewhere. Raises ApiError.
        """
        observed = self._store.observe(key)
        return None if observed is None else await self._explain(observed, now)

    async def look(self, key: Key, now: datetime) -> Observed | None:
        """What there is, straight from the API server. Raises ApiError."""
        try:
            raw = await self._connection.get(paths.resource(key))
        except ApiError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        resource = parse_resource(raw)
        if not resource.spec.is_for(self._settings.controller_name):
            return None
        # Pods last: those of a Job that is deleted between the two would be missed, and another run begin beside them.
        jobs = await self._list(paths.jobs(key.namespace), key)
        pods = await self._list(paths.pods(key.namespace), key)
        observed = assemble(resource, jobs, pods)
        known = self._store.observe(key)
        if known:  # Neither decides what is done to a Job.
            observed = replace(observed, admissions=known.admissions, same_destination=known.same_destination)
        return await self._explain(observed, now)

    async def _list(self, path: str, key: Key) -> list[dict[str, Any]]:
        listed = await self._connection.get(path, {"labelSelector": f"{LABEL_COMPRESSION}={key.name}"})
        return list(listed["items"])

    async def _explain(self, observed: Observed, now: datetime) -> Observed:
        refusal = await self._ask_for_refusal(observed, now)
        has_gpus = await self._ask_for_gpus(observed)
        return replace(observed, pod_refusal=refusal, has_gpu_nodes=has_gpus)

    async def _ask_for_refusal(self, observed: Observed, now: datetime) -> str | None:
        """What the Job controller was told when it made a pod, such as a quota's message: it stands in Events only."""
        job = job_without_pod(observed, now, self._settings)
        if job is None:
            return None
        query = {"fieldSelector": f"involvedObject.uid={job.uid},reason=FailedCreate", "limit": "50"}
        try:
            listed = await self._connection.get(paths.events(observed.resource.key.namespace), query)
        except ApiError as error:
            if error.code != FORBIDDEN:
                raise
            return None  # Who makes the roles himself may keep that right back: the message says less then.
        events = sorted(
            listed["items"], key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or "")
        )
        return str(events[-1].get("message", "")) if events else None

    async def _ask_for_gpus(self, observed: Observed) -> bool | None:
        """Where a pod finds no room for want of its GPUs, whether there is any such node at all."""
        wanted = observed.resource.spec.scheduling.gpu_resource
        is_short = any(pod.is_active and pod.unschedulable and wanted in pod.unschedulable[1] for pod in observed.pods)
        return await self._nodes.have(wanted) if is_short else None
