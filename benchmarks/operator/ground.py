"""Where it takes place: a namespace and fake nodes of the benchmark's own, and the watches over them."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.operator import manifests
from benchmarks.operator.api import METADATA, PLAIN, Api
from benchmarks.operator.cleaning import clean
from benchmarks.operator.clock import now_s
from benchmarks.operator.kwok import free_port, running_kwok
from benchmarks.operator.ledger import Ledger
from benchmarks.operator.stages import build_logs, build_stages

Json = Mapping[str, Any]

READY_LIMIT_S = 60
WATCHED = {
    "resources": (manifests.RESOURCES, PLAIN),
    "jobs": (manifests.JOBS, METADATA),
    "pods": (manifests.PODS, METADATA),
}
"""Of each kind the path and what of the objects is wanted: the phase of resources stands in their status."""


@dataclass(frozen=True)
class Ground:
    """A prepared cluster.

    Attributes:
        api: its API server.
        namespace: of the benchmark.
        ledger: what has happened in that namespace since it was made.
        log: file with the log of every fake container.
        applied: names of all resources, in the order of their creation.
    """

    api: Api
    namespace: str
    ledger: Ledger
    log: Path
    applied: list[str] = field(default_factory=list)

    async def apply(self, name: str) -> float:
        """Create a resource; returns when the API server had answered."""
        self.applied.append(name)
        path = manifests.RESOURCES.format(namespace=self.namespace)
        await self.api.create(path, manifests.resource(self.namespace, name))
        return now_s()


@asynccontextmanager
async def prepared(api: Api, *, pods: int, run_s: float | None) -> AsyncIterator[Ground]:
    """Prepare a namespace and nodes with room for so many pods at a time; afterwards nothing is left of them.

    Args:
        api: of the cluster.
        pods: at a time.
        run_s: how long a pod runs; None: on and on.

    Raises:
        BenchmarkError: something does not come up.
    """
    namespace = f"bench-operator-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix=f"{namespace}-") as folder:
        ground = Ground(api, namespace, Ledger(), Path(folder) / "worker.log")
        ground.log.touch()
        port = free_port()
        documents = [*build_stages(run_s=run_s), build_logs(ground.log)]
        try:
            made = await api.create(manifests.NAMESPACES, manifests.namespace(namespace))
            async with running_kwok(Path(folder), documents, namespace=namespace, port=port):
                count = manifests.nodes_for(pods)
                await asyncio.gather(
                    *(api.create(manifests.NODES, manifests.node(namespace, n, port=port)) for n in range(count))
                )
                async with asyncio.timeout(READY_LIMIT_S):
                    await asyncio.gather(_wait_for_nodes(api, namespace, count), _wait_for_account(api, namespace))
                async with _watching(ground, made["metadata"]["resourceVersion"]):
                    yield ground
        finally:
            await clean(api, namespace)


@asynccontextmanager
async def _watching(ground: Ground, since: str) -> AsyncIterator[None]:
    """Enter all events into the ledger while the block runs. A watch that fails ends the block."""
    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(_watch(ground, kind, since)) for kind in WATCHED]
        yield
        for task in watches:
            task.cancel()


async def _watch(ground: Ground, kind: str, since: str) -> None:
    path, accept = WATCHED[kind]
    async for event in ground.api.watch(path.format(namespace=ground.namespace), since, accept=accept):
        ground.ledger.tell(kind, event, now_s())


async def _wait_for_nodes(api: Api, namespace: str, count: int) -> None:
    """Wait until pods can be scheduled to all nodes: the node controller has taken back its own taint."""
    ready: set[str] = set()
    async for event in api.follow(manifests.NODES, labelSelector=f"{manifests.LABEL}={namespace}"):
        node = event["object"]
        if all(taint["key"] == manifests.FAKE for taint in node["spec"].get("taints", [])) and _is_ready(node):
            ready.add(node["metadata"]["name"])
        if len(ready) == count:
            return


def _is_ready(node: Json) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def _wait_for_account(api: Api, namespace: str) -> None:
    """Wait for the service account that every pod has."""
    path = f"{manifests.NAMESPACES}/{namespace}/serviceaccounts"
    async for event in api.follow(path, fieldSelector="metadata.name=default"):
        if event["type"] == "ADDED":
            return
