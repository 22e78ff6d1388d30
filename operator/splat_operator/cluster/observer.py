"""One look at a resource, its Jobs, its pods and the log of the pod that runs."""

from __future__ import annotations

import asyncio
from typing import Any

from splat_operator.cluster import paths
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.model import Key, Observed, Pod, Progress
from splat_operator.names import CONTAINER, LABEL_COMPRESSION
from splat_operator.parsing import controller_uid, parse_job, parse_pod, parse_resource
from splat_operator.policies.pending import current_pod
from splat_operator.report import parse_progress

LOG_QUERY = {"container": CONTAINER, "tailLines": "5", "limitBytes": "16384"}
"""The worker prints at most one progress line a second; a few lines back there is one."""


async def observe(connection: Connection, key: Key) -> Observed | None:
    """What there is, straight from the API server, or None where the resource is gone. Raises ApiError."""
    try:
        raw = await connection.get(paths.resource(key))
    except ApiError as error:
        if error.code == 404:
            return None
        raise
    resource = parse_resource(raw)
    jobs, pods = await asyncio.gather(
        _list(connection, paths.jobs(key.namespace), key), _list(connection, paths.pods(key.namespace), key)
    )
    parsed_pods = tuple(parse_pod(pod) for pod in pods)
    return Observed(
        resource=resource,
        jobs=tuple(parse_job(job) for job in jobs if controller_uid(job) == resource.uid),
        pods=parsed_pods,
        progress=await _progress(connection, key, current_pod(parsed_pods)),
    )


async def _list(connection: Connection, path: str, key: Key) -> list[dict[str, Any]]:
    listed = await connection.get(path, {"labelSelector": f"{LABEL_COMPRESSION}={key.name}"})
    return list(listed["items"])


async def _progress(connection: Connection, key: Key, pod: Pod | None) -> Progress | None:
    """The last progress line of a running pod; a log that cannot be read just now is no progress."""
    if pod is None or pod.container.running_since is None:
        return None
    try:
        return parse_progress(await connection.get_text(f"{paths.pods(key.namespace)}/{pod.name}/log", LOG_QUERY))
    except ApiError:
        return None
