"""The net under lost watch events: lists every few minutes, held against what the watches have delivered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from splat_operator.api.model import Key
from splat_operator.api.names import LABEL_MANAGED_BY, MANAGER, PLURAL, TERMINAL_PHASES
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.cluster.delivered import KINDS, Delivered, phase, settle
from splat_operator.cluster.paths import RESOURCE_API

FIRST_S = 60.0
"""Until the first round: by then kopf has told what there was at the start, and what fell between is found early."""
GRACE_S = 90.0
"""What an event may be late: longer than the 70 s after which kopf itself gives up a connection gone silent."""
PACE_S = 0.02
"""Between two keys: thousands at once would keep those waiting whose events come in."""
PAGE = 500

_APIS = {PLURAL: RESOURCE_API, "jobs": "/apis/batch/v1", "pods": "/api/v1"}

Json = Mapping[str, Any]
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Item:
    """What is kept of a listed object."""

    key: Key
    version: str
    phase: str
    is_open: bool
    """Whether a resource may want a pass: it has not ended, or its spec has changed since, or it is being deleted."""


class Resync:
    """Rounds of lists, one every `interval_s`.

    Args:
        connection: to the API server.
        delivered: what the watches have told; its phases are corrected, and stalled watches noted in it.
        enqueue: asks for a pass for a key, in that many seconds.
        namespaces: those to look at; none: all.
        interval_s: from the end of a round to the next.
        sleep: waits for that many seconds.
    """

    def __init__(
        self,
        connection: Connection,
        delivered: Delivered,
        enqueue: Callable[[Key, float], None],
        *,
        namespaces: tuple[str, ...] = (),
        interval_s: float = 300.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._delivered = delivered
        self._enqueue = enqueue
        self._scopes = [f"namespaces/{namespace}/" for namespace in namespaces] or [""]
        self._interval_s = interval_s
        self._sleep = sleep

    async def run(self) -> None:
        """Rounds until cancelled."""
        await self._sleep(FIRST_S)
        while True:
            await self.round()
            await self._sleep(self._interval_s)

    async def round(self) -> None:
        """Look at everything, and GRACE_S later again at the kinds of which not every change had been told."""
        suspects = {kind: await self._attempt(kind, self._look(kind)) for kind in KINDS}
        if any(suspects.values()):
            await self._sleep(GRACE_S)
        for kind, versions in suspects.items():
            if versions:
                await self._attempt(kind, self._look_again(kind, versions))

    async def _attempt(self, kind: str, look: Awaitable[T]) -> T | None:
        """The result; None where the look failed, which says nothing about the watch."""
        try:
            return await look
        except ApiError as error:
            logger.warning("The list of %s failed; the next in %g s: %s", kind, self._interval_s, error)
        except Exception:  # Whatever it is, there must be a next round.
            logger.exception("The list of %s failed; the next in %g s", kind, self._interval_s)
        return None

    async def _look(self, kind: str) -> dict[str, str]:
        """Correct what is known by a list; returns the resourceVersions, by UID, that no event has told yet."""
        phases, versions = dict(self._delivered.phases), dict(self._delivered.versions[kind])
        listed = await self._list(kind)
        if kind == PLURAL:
            listed_phases = {uid: (item.key.namespace, item.phase) for uid, item in listed.items()}
            settle(self._delivered.phases, phases, listed_phases)
            self._enqueue_open(listed)
        # Only events may add to these; but of what was deleted in a gap between two watches none ever tells.
        there = {uid: version for uid, version in versions.items() if uid in listed}
        settle(self._delivered.versions[kind], versions, there)
        suspects = self._delivered.missing(kind, {uid: item.version for uid, item in listed.items()})
        if not suspects:
            self._delivered.judge(kind, set())
        return suspects

    def _enqueue_open(self, listed: Mapping[str, _Item]) -> None:
        keys = [item.key for item in listed.values() if item.is_open]
        for place, key in enumerate(keys):
            self._enqueue(key, place * PACE_S)

    async def _look_again(self, kind: str, suspects: Mapping[str, str]) -> None:
        """The watch has stalled if an object is as it was at the first look and no event has told that since."""
        late = self._delivered.missing(kind, suspects)
        listed = await self._list(kind) if late else {}
        unchanged = {uid: version for uid, version in late.items() if uid in listed and listed[uid].version == version}
        stalled = set(self._delivered.missing(kind, unchanged))
        if stalled:
            logger.error("The watch of %s has stalled: %d objects changed without an event", kind, len(stalled))
        self._delivered.judge(kind, stalled)

    async def _list(self, kind: str) -> dict[str, _Item]:
        return {raw["metadata"]["uid"]: _item(raw) async for raw in self._objects(kind)}

    async def _objects(self, kind: str) -> AsyncIterator[Json]:
        """All resources, and of the operator's Jobs and pods the metadata."""
        get, selector = self._connection.get_metadata, {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGER}"}
        if kind == PLURAL:
            get, selector = self._connection.get, {}
        for scope in self._scopes:
            query = {**selector, "limit": str(PAGE)}
            while True:
                page = await get(f"{_APIS[kind]}/{scope}{kind}", query)
                for raw in page["items"]:
                    yield raw
                token = page["metadata"].get("continue")
                if not token:
                    break
                query["continue"] = token


def _item(raw: Json) -> _Item:
    meta, status = raw["metadata"], raw.get("status") or {}
    is_behind = status.get("observedGeneration") != meta.get("generation")
    return _Item(
        key=Key(meta["namespace"], meta["name"]),
        version=meta["resourceVersion"],
        phase=phase(raw),
        is_open=phase(raw) not in TERMINAL_PHASES or is_behind or "deletionTimestamp" in meta,
    )
