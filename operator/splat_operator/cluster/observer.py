"""One look at a resource, its Jobs, its pods and the logs of those that run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from splat_operator.api.model import Key, Observed, Pod, Progress, Resource
from splat_operator.api.names import CONTAINER, LABEL_COMPRESSION
from splat_operator.cluster import paths
from splat_operator.cluster.connection import FORBIDDEN, ApiError, Connection
from splat_operator.cluster.nodes import Nodes
from splat_operator.cluster.parsing import assemble, parse_resource
from splat_operator.decide.conditions import find
from splat_operator.decide.policies.pending import NO_POD
from splat_operator.decide.report import merge_progress, parse_progress
from splat_operator.decide.verdict import results

LOG_QUERY = {"container": CONTAINER, "tailLines": "5", "limitBytes": "16384"}
"""The worker prints at most one progress line a second; a few lines back there is one."""

LOGS_AT_ONCE = 8
"""Of one resource, which may have a thousand pods."""


async def observe(
    connection: Connection, key: Key, nodes: Nodes, *, controller_name: str, reads_logs: bool = True
) -> Observed | None:
    """What there is, straight from the API server, or None where the resource is gone or another's. Raises ApiError.

    Without `reads_logs` there is no progress, and the status keeps what it has.
    """
    try:
        raw = await connection.get(paths.resource(key))
    except ApiError as error:
        if error.code == 404:
            return None
        raise
    resource = parse_resource(raw)
    if not resource.spec.is_for(controller_name):
        return None
    # Pods last: those of a Job that is deleted between the two would be missed, and another run begin beside them.
    raw_jobs = await _list(connection, paths.jobs(key.namespace), key)
    raw_pods = await _list(connection, paths.pods(key.namespace), key)
    observed = assemble(resource, raw_jobs, raw_pods)
    return replace(
        observed,
        progress=await _progress(connection, observed) if reads_logs else None,
        pod_refusal=await _ask_for_refusal(connection, observed),
        has_gpu_nodes=await _ask_for_gpus(nodes, resource, observed.pods),
    )


async def _list(connection: Connection, path: str, key: Key) -> list[dict[str, Any]]:
    listed = await connection.get(path, {"labelSelector": f"{LABEL_COMPRESSION}={key.name}"})
    return list(listed["items"])


async def _progress(connection: Connection, observed: Observed) -> Progress | None:
    """How far the run is, as far as its pods' logs can be read just now."""
    jobs = {job.uid: job.completions for job in observed.jobs}
    pods = [pod for pod in observed.pods if pod.job_uid in jobs]
    running = (pod for pod in pods if pod.container.is_running)
    turns = asyncio.Semaphore(LOGS_AT_ONCE)
    read = await asyncio.gather(*(_read(connection, observed.resource.key, pod, turns) for pod in running))
    readings = [progress for progress in read if progress]
    return merge_progress(readings, results(pods), shares=max(jobs.values(), default=1))


async def _read(connection: Connection, key: Key, pod: Pod, turns: asyncio.Semaphore) -> Progress | None:
    """The last progress line of a running pod."""
    async with turns:
        try:
            return parse_progress(await connection.get_text(f"{paths.pods(key.namespace)}/{pod.name}/log", LOG_QUERY))
        except ApiError:
            return None


async def _ask_for_refusal(connection: Connection, observed: Observed) -> str | None:
    """What the Job controller was told when it made a pod, such as a quota's words: it stands in the Job's Events only.

    Asked from the second look on that finds no pod.
    """
    if find(observed.resource.status, "Ready").get("reason") != NO_POD or observed.pods or not observed.jobs:
        return None
    (job, *_) = observed.jobs
    query = {"fieldSelector": f"involvedObject.uid={job.uid},reason=FailedCreate", "limit": "50"}
    try:
        listed = await connection.get(paths.events(observed.resource.key.namespace), query)
    except ApiError as error:
        if error.code != FORBIDDEN:
            raise
        return None  # Who makes the roles himself may keep that right back: the words are fewer then.
    events = sorted(listed["items"], key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return str(events[-1].get("message", "")) if events else None


async def _ask_for_gpus(nodes: Nodes, resource: Resource, pods: Sequence[Pod]) -> bool | None:
    """Where a pod finds no room for want of its GPUs, whether there is any such node at all."""
    wanted = resource.spec.scheduling.gpu_resource
    is_short = any(pod.is_active and pod.unschedulable and wanted in pod.unschedulable[1] for pod in pods)
    return await nodes.have(wanted) if is_short else None
