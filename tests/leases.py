"""A Lease without an API server, candidates for it, and a clock that goes on when a test says so."""

from __future__ import annotations

import asyncio
import copy
import functools
import heapq
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from splat_operator.runtime.leader import LEASE_S, Leader

LEASE = ("splat-operator", "splats")
TURNS = 8
"""Of the event loop, after which nothing goes on that waits neither for the clock nor for an answer."""


class Clock:
    """Time that goes on when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        # Real time goes on whatever happens; a difference of two floats may be too little to add to one.
        await self.until(self.now_s + max(seconds, 1e-6))

    async def until(self, moment_s: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (moment_s, next(self._order), future))
        await future

    async def advance(self, seconds: float, check: Callable[[], None] = lambda: None) -> None:
        """Go on, with `check` after each moment at which anything has happened."""
        end_s = self.now_s + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            due_s, _, future = heapq.heappop(self._sleepers)
            self.now_s = max(self.now_s, due_s)
            if not future.done():
                future.set_result(None)
            await self.settle()
            check()
        self.now_s = end_s
        check()

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)


class Leases:
    """The API server's one Lease, as a candidate reaches it: a CoordinationV1Api with a bad day.

    Attributes:
        trouble: what happens to a request instead, named by its verb; it may raise, hang, or just take its time.
        requests: the verbs of all that have come.
    """

    def __init__(self, stored: dict[str, Any]) -> None:
        self.stored = stored
        self.trouble: Callable[[str], Awaitable[None]] = quiet
        self.after: Callable[[str], Awaitable[None]] = quiet
        self.requests: list[str] = []

    @property
    def spec(self) -> Any:
        return self.stored["lease"].spec

    async def read_namespaced_lease(self, name: str, namespace: str) -> Any:
        return await self._answer("get", (namespace, name), lambda: self.stored["lease"] or _raise(404))

    async def create_namespaced_lease(self, namespace: str, body: Any) -> Any:
        return await self._answer("create", (namespace, body.metadata.name), lambda: self._create(body))

    async def replace_namespaced_lease(self, name: str, namespace: str, body: Any) -> Any:
        return await self._answer("update", (namespace, name), lambda: self._replace(body))

    def delete(self) -> None:
        self.stored["lease"] = None

    def hold(self, holder: str, **fields: Any) -> None:
        """Have the Lease held by somebody who just renewed it."""
        now = datetime.now(UTC).replace(microsecond=next(self.stored["versions"]))
        spec = {"lease_duration_seconds": LEASE_S, "acquire_time": now, "renew_time": now, **fields}
        self._store(client.V1LeaseSpec(holder_identity=holder, **spec))

    async def _answer(self, verb: str, lease: tuple[str, str], act: Callable[[], Any]) -> Any:
        assert lease == LEASE
        self.requests.append(verb)
        await self.trouble(verb)
        answer = copy.deepcopy(act())
        await self.after(verb)
        return answer

    def _create(self, body: Any) -> Any:
        return _raise(409) if self.stored["lease"] else self._store(body.spec)

    def _replace(self, body: Any) -> Any:
        lease = self.stored["lease"] or _raise(404)
        is_current = body.metadata.resource_version == lease.metadata.resource_version
        return self._store(body.spec) if is_current else _raise(409)

    def _store(self, spec: Any) -> Any:
        for moment in (spec.acquire_time, spec.renew_time):
            assert moment.utcoffset() == timedelta(0)
            assert moment.microsecond, "the client would write it without a fraction, which a real server refuses"
        meta = client.V1ObjectMeta(name=LEASE[1], resource_version=str(next(self.stored["versions"])))
        self.stored["lease"] = client.V1Lease(metadata=meta, spec=copy.deepcopy(spec))
        return self.stored["lease"]


def _raise(status: int) -> Any:
    error = ApiException(status=status, reason=f"Status {status}")
    error.body = json.dumps({"code": status})
    raise error


async def quiet(_verb: str) -> None:
    """Nothing is wrong."""


def nothing_stored() -> dict[str, Any]:
    """What the API server holds at first."""
    return {"lease": None, "versions": itertools.count(1)}


@functools.cache
def unused_client() -> client.ApiClient:
    """Make a client that sends nothing, once: each reads all certificates of the machine."""
    return client.ApiClient()


def failing(error: Exception, *verbs: str) -> Callable[[str], Awaitable[None]]:
    async def fail(verb: str) -> None:
        if verb in (verbs or verb):
            raise error

    return fail


async def hanging(_verb: str) -> None:
    await asyncio.Event().wait()


class Candidate:
    """A process that stands for election, and what has become of it."""

    def __init__(
        self,
        stored: dict[str, Any],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        identity: str = "pod",
    ) -> None:
        self.leases = Leases(stored)
        self.events: list[str] = []
        self.leader = Leader(unused_client(), lease=LEASE, identity=identity, clock=clock, sleep=sleep)
        self.leader._lock.api_instance = self.leases
        self.task = asyncio.create_task(
            self.leader.run(lambda: self.events.append("leading"), lambda: self.events.append("lost"))
        )

    @property
    def identity(self) -> str:
        return str(self.leader._lock.identity)

    @property
    def may_write(self) -> bool:
        return self.leader.may_write

    def stop(self) -> None:
        self.task.cancel()
