"""The operator that is measured: the one pod of its Deployment, and the process in it, which runs on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.operator import proc
from benchmarks.operator.api import Api
from benchmarks.operator.manifests import PODS
from benchmarks.operator.requests import Requests, parse_requests, writes

Json = Mapping[str, Any]

SELECTOR = "app.kubernetes.io/name=splat-operator"
METRICS_PORT = 8081
LIMIT_S = 120
QUIET_S = 2.0


@dataclass(frozen=True)
class Instance:
    """One pod's life.

    Attributes:
        namespace, pod: where and what it is called.
        ip: where it serves its metrics.
        pid: its first process, on this machine.
    """

    namespace: str
    pod: str
    ip: str
    pid: int

    @property
    def memory(self) -> proc.Memory:
        """Read what its process has in memory. Raises BenchmarkError where that has ended, as the others do."""
        with self._running():
            return proc.read_memory(self.pid)

    @property
    def times(self) -> proc.Times:
        """Read when it started and what CPU time it has taken."""
        with self._running():
            return proc.read_times(self.pid)

    async def requests(self, api: Api) -> Requests:
        """Read what it has asked of the API server so far."""
        text = await api.text(f"http://{self.ip}:{METRICS_PORT}/metrics")
        with self._running():
            proc.read_times(self.pid)  # or it is its successor that has answered, and counts from 0
        return parse_requests(text)

    async def quiet_requests(self, api: Api) -> Requests:
        """Wait until it writes no more, and read what it has asked."""
        before = await self.requests(api)
        async with asyncio.timeout(LIMIT_S):
            while True:
                await asyncio.sleep(QUIET_S)
                now = await self.requests(api)
                if writes(now) == writes(before):
                    return now
                before = now

    @contextmanager
    def _running(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, ProcessLookupError) as error:
            asked = f"kubectl -n {self.namespace} describe pod {self.pod}"
            raise BenchmarkError(f"The operator's process has ended during the run; {asked} says why.") from error


async def find_instance(api: Api, namespace: str, *, after: Instance | None = None, is_ready: bool = True) -> Instance:
    """Wait for the operator's pod, its container running and, unless told otherwise, ready.

    Args:
        api: where to ask.
        namespace: the release's.
        after: another pod than that.
        is_ready: whether it must have answered its probe.

    Raises:
        BenchmarkError: it does not come, or runs on another machine.
    """
    try:
        async with asyncio.timeout(LIMIT_S):
            async for event in api.follow(PODS.format(namespace=namespace), labelSelector=SELECTOR):
                found = _instance(event["object"], is_ready=is_ready)
                if found and (after is None or found.pod != after.pod):
                    return found
    except TimeoutError as error:
        words = f"No pod with {SELECTOR} in namespace {namespace} has come up within {LIMIT_S} s"
        raise BenchmarkError(f"{words}: install the operator first (make install).") from error
    raise AssertionError("a watch has no end")


async def end_instance(api: Api, instance: Instance) -> None:
    """Delete the pod, and wait until its process has ended."""
    await api.delete(f"{PODS.format(namespace=instance.namespace)}/{instance.pod}")
    await proc.wait_for_end(instance.pid)


async def renew_instance(api: Api, namespace: str) -> Instance:
    """Replace the operator's pod by a new one, which knows nothing yet of what earlier runs have left in memory."""
    old = await find_instance(api, namespace)
    await end_instance(api, old)
    return await find_instance(api, namespace, after=old)


def _instance(pod: Json, *, is_ready: bool) -> Instance | None:
    meta, status = pod["metadata"], pod["status"]
    (container, *_) = status.get("containerStatuses") or [{}]
    if "deletionTimestamp" in meta or "running" not in container.get("state", {}) or "podIP" not in status:
        return None
    if is_ready and not container["ready"]:
        return None
    container_id = container["containerID"].rpartition("/")[2]
    pid = proc.find_container(container_id)
    if pid is None:
        raise BenchmarkError(f"The process of pod {meta['name']} is not on this machine: use the embedded cluster.")
    return Instance(meta["namespace"], meta["name"], status["podIP"], pid)
