"""The end: everything of the benchmark goes, in an order in which nobody makes anything of it anew."""

from __future__ import annotations

import asyncio

from benchmarks.errors import BenchmarkError
from benchmarks.operator import manifests
from benchmarks.operator.api import Api, Json, RefusedError

LIMIT_S = 900
GATEWAY_TIMEOUT = 504
BACKGROUND = {"propagationPolicy": "Background"}
AT_ONCE = {"gracePeriodSeconds": 0}
"""No kubelet has to say that a pod has ended: the nodes' goes with them."""


async def clean(api: Api, namespace: str) -> None:
    """Delete a benchmark's namespace with all in it, and its nodes; returns when they are gone.

    The namespace controller would do the same one object after the other, and events are most of them.

    Raises:
        BenchmarkError: that takes longer than LIMIT_S.
    """
    try:
        async with asyncio.timeout(LIMIT_S):
            # The resources first, or the operator would make their Jobs again.
            await _delete_all(api, manifests.RESOURCES.format(namespace=namespace), BACKGROUND)
            await asyncio.gather(
                _delete_all(api, manifests.JOBS.format(namespace=namespace), BACKGROUND),
                _delete_all(api, manifests.PODS.format(namespace=namespace), AT_ONCE),
                _delete_all(api, manifests.EVENTS.format(namespace=namespace), {}),
            )
            await api.delete(manifests.NODES, labelSelector=f"{manifests.LABEL}={namespace}")
            await api.delete(f"{manifests.NAMESPACES}/{namespace}")
            await _wait_until_gone(api, namespace)
    except TimeoutError as error:
        by_hand = f"kubectl delete namespace,node -l {manifests.LABEL}={namespace}"
        raise BenchmarkError(f"Namespace {namespace} is not gone after {LIMIT_S} s: delete it ({by_hand}).") from error


async def clean_leftovers(api: Api) -> list[str]:
    """Clean up after runs that were killed; returns the names of their namespaces."""
    found = [
        item["metadata"]["labels"][manifests.LABEL]
        for path in (manifests.NAMESPACES, manifests.NODES)
        for item in (await api.get(path, labelSelector=manifests.LABEL))["items"]
    ]
    names = sorted(set(found))
    for name in names:
        await clean(api, name)
    return names


async def _delete_all(api: Api, path: str, options: Json) -> None:
    """Delete a collection, in as many requests as it takes where the API server ends a long one."""
    while True:
        try:
            await api.delete(path, options)
        except RefusedError as error:
            if error.code != GATEWAY_TIMEOUT:
                raise
        else:
            return


async def _wait_until_gone(api: Api, namespace: str) -> None:
    listed = await api.get(manifests.NAMESPACES, fieldSelector=f"metadata.name={namespace}")
    if not listed["items"]:
        return
    version = listed["metadata"]["resourceVersion"]
    async for event in api.watch(manifests.NAMESPACES, version, fieldSelector=f"metadata.name={namespace}"):
        if event["type"] == "DELETED":
            return
