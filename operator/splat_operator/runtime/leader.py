"""Which of several processes acts: the one that holds a Lease, and only while it certainly does.

The election is the official client's. The lock below adds what that lacks: a timeout for each request, errors of any
kind survived, and every moment measured on one clock that can neither be set nor stops with the process.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

LEASE_S = 10
"""How long a renewal is good for; whole, as the Lease has it. After the leader's death a standby waits this long and,
until it looks, up to RETRY_S more: 12 s, which leaves 3 of 15 to its first pass."""

RENEW_S = 7.0
"""Without a renewal for so long, the leader writes no more and gives up: what it has sent by then has the rest of the
Lease to arrive, before a standby may begin."""

RETRY_S = 2.0
"""Between two looks at the Lease. A leader renews three times before it gives up, so two may fail."""

REQUEST_S = 2.0
"""For a request about the Lease. After one that hangs there is time for another try before RENEW_S."""

FREE = LeaderElectionRecord(None, None, None, None)
"""A Lease that anyone may take, as the library has it."""

logger = logging.getLogger(__name__)


def running_time_s() -> float:
    """Seconds on a clock that nobody sets and that goes on while the process is stopped or its machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lock(LeaseLock):
    """The library's lock, which also knows how long the Lease is held by this process, or by another.

    The library compares wall clocks to see whether another's Lease has ended; here that is decided by `clock`, whatever
    the library thinks. A lock that was held and is so no more is never taken again: the process is to end.
    """

    def __init__(
        self, api: client.ApiClient, *, name: str, namespace: str, identity: str, clock: Callable[[], float]
    ) -> None:
        super().__init__(name, namespace, identity, api)
        self._clock = clock
        self._sent_at_s: float | None = None
        """When the last renewal was sent that the API server took; None while the Lease is not held."""
        self._is_over = False
        self._other: dict[str, Any] | None = None
        """What another holder last wrote."""
        self._taken_until_s = -math.inf
        """The end of another holder's time: counted from when its renewal was seen, which is later than it was sent."""

    @property
    def age_s(self) -> float:
        """Seconds since the last renewal was sent; infinite while the Lease is not held."""
        return math.inf if self._sent_at_s is None else self._clock() - self._sent_at_s

    @property
    def is_held(self) -> bool:
        """Whether no other process can have taken the Lease yet."""
        return self.age_s < LEASE_S

    def give_up(self) -> None:
        """Hold the Lease no more, and never again."""
        self._sent_at_s, self._is_over = None, True

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """What the library wants to know: whether there is a Lease, and its record, or else the error."""
        try:
            async with asyncio.timeout(REQUEST_S):
                is_there, answer = await self._read(name, namespace)
        except Exception as error:  # Whatever it is, the election goes on.
            return False, ApiException(reason=repr(error))
        if is_there or answer.status == HTTPStatus.NOT_FOUND:
            self._see(answer if is_there else None)
        is_free = is_there and answer.holder_identity != self.identity and self._clock() >= self._taken_until_s
        return is_there, FREE if is_free else answer

    async def _read(self, name: str, namespace: str) -> tuple[bool, Any]:
        return await super().get(name, namespace)

    def _see(self, record: LeaderElectionRecord | None) -> None:
        """Take note of who holds the Lease; None: there is none."""
        holder = record.holder_identity if record else None
        if self._sent_at_s is not None and holder != self.identity:
            self.give_up()
        if record is None:
            return  # Somebody deleted it: its holder, if another, may not know yet, and keeps its time.
        if not holder:
            self._taken_until_s = -math.inf
        elif holder != self.identity and vars(record) != self._other:
            self._other = dict(vars(record))
            self._taken_until_s = self._clock() + float(record.lease_duration or LEASE_S)

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Make the Lease, held by this process; whether that has succeeded."""
        return await self._send(partial(self._create, name, namespace, election_record))

    async def _create(self, name: str, namespace: str, record: LeaderElectionRecord) -> bool:
        """Make the Lease. The library's own asks for `pretty=True`, which its own client refuses (37.0.1)."""
        lease = client.V1Lease(metadata=client.V1ObjectMeta(name=name), spec=self.update_lease(record))
        await self.api_instance.create_namespaced_lease(namespace, lease)
        return True

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Take or renew the Lease; whether that has succeeded. A change since `get` is a conflict."""
        return await self._send(partial(super().update, name, namespace, updated_record))

    async def _send(self, request: Callable[[], Awaitable[bool]]) -> bool:
        sent_at_s = self._clock()
        if self._sent_at_s is not None and not self.is_held:
            self.give_up()
        if self._is_over or sent_at_s < self._taken_until_s:
            return False
        try:
            async with asyncio.timeout(REQUEST_S):
                is_taken = await request()
        except Exception as error:  # Whatever it is, the election goes on.
            logger.warning("Lease %s/%s was not written: %r", self.namespace, self.name, error)
            return False
        if is_taken and not self._is_over:
            self._sent_at_s = sent_at_s
        return is_taken

    def update_lease(
        self, _record: LeaderElectionRecord, current_spec: client.V1LeaseSpec | None = None
    ) -> client.V1LeaseSpec:
        """The Lease's spec as held by this process. The library would write local time and call it UTC."""
        spec = current_spec or client.V1LeaseSpec()
        now = _micro_time()
        if spec.holder_identity != self.identity:
            spec.holder_identity, spec.acquire_time = self.identity, now
        spec.renew_time, spec.lease_duration_seconds = now, LEASE_S
        return spec

    async def release(self) -> None:
        """Free the Lease if it is held; another process may take it at once. Never raises."""
        was_held = self.is_held
        self.give_up()
        if not was_held:
            return
        try:
            async with asyncio.timeout(REQUEST_S):
                lease = await self.api_instance.read_namespaced_lease(self.name, self.namespace)
                if lease.spec and lease.spec.holder_identity == self.identity:
                    lease.spec.holder_identity, lease.spec.renew_time = "", _micro_time()
                    await self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
        except Exception as error:  # It ends by itself.
            logger.warning("Lease %s/%s was not released, and ends by itself: %r", self.namespace, self.name, error)


class Leader:
    """Stands by until the Lease is this process's, then keeps it.

    Args:
        api: a client of its own, so that a renewal never waits for a connection that other requests use.
        lease: namespace and name of the Lease; it is made where there is none.
        identity: a name for this process; what is in the Lease is unique also where several have the same.
        clock: seconds; must go on while the process is stopped.
        sleep: waits for that many seconds.
    """

    def __init__(
        self,
        api: client.ApiClient,
        *,
        lease: tuple[str, str],
        identity: str,
        clock: Callable[[], float] = running_time_s,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        namespace, name = lease
        unique = f"{identity}_{uuid.uuid4().hex[:8]}"
        self._lock = Lock(api, name=name, namespace=namespace, identity=unique, clock=clock)
        # The library's own loop measures its deadline by the wall clock, so it is not used, nor are its callbacks.
        self._election = LeaderElection(Config(self._lock, LEASE_S, RENEW_S, RETRY_S, _unused, _unused))
        self._sleep = sleep

    @property
    def may_write(self) -> bool:
        """Whether what is sent now arrives while the Lease is certainly this process's. To be asked before each write.

        It needs no renewal to have failed: a process that was stopped for long finds False before anything else.
        """
        return self._left_s() > 0

    async def run(self, on_leading: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Stand by, call `on_leading` when the Lease is held, renew it, and call `on_lost` when it is not any more.

        It returns after that: a process that has lost the Lease is to end, as it cannot know what it has missed.
        Errors of the API server are waited out. Where this is cancelled, `on_lost` is not called.
        """
        logger.info("Standing by for Lease %s/%s as %s", self._lock.namespace, self._lock.name, self._lock.identity)
        while not await self._election.try_acquire_or_renew():
            await self._sleep(RETRY_S)
        logger.info("Leading: Lease %s/%s is held", self._lock.namespace, self._lock.name)
        on_leading()
        while (left_s := self._left_s()) > 0:
            await self._sleep(min(RETRY_S, left_s))
            await self._renew()
        self._lock.give_up()
        logger.error("Lease %s/%s is lost", self._lock.namespace, self._lock.name)
        on_lost()

    async def release(self) -> None:
        """Free the Lease if it is held, so that a standby need not wait for its end.

        To be called when nothing can be written any more, `run` included. Never raises.
        """
        await self._lock.release()

    async def _renew(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._left_s())):
                await self._election.try_acquire_or_renew()

    def _left_s(self) -> float:
        return RENEW_S - self._lock.age_s


async def _unused() -> None:
    """Stand in for a callback."""


def _micro_time() -> datetime:
    """Now. The client drops a fraction of zero, without which the API server takes no time of a Lease."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond or 1)
