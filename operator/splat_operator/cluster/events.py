"""Events are posted beside the passes, as well as can be: no status, no count and no other resource waits for one."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from splat_operator.api.model import EmitEvent, Resource
from splat_operator.api.names import GROUP, KIND, MANAGER, VERSION
from splat_operator.api.times import format_time
from splat_operator.cluster import paths
from splat_operator.cluster.connection import CONFLICT, FORBIDDEN, NOT_FOUND, ApiError, Connection

MAX_NOTE = 1024
"""Bytes of an Event's message that the API server takes."""
MAX_WAITING = 5000
"""Events that wait for an API server that does not answer; the oldest are dropped then."""
ATTEMPTS = 4
PAUSE_S = 0.5
"""Before an Event is posted again; it doubles."""

logger = logging.getLogger(__name__)


class EventPoster:
    """A queue of Events.

    Args:
        connection: to the API server.
        sleep: waits for that many seconds.
    """

    def __init__(self, connection: Connection, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._connection = connection
        self._sleep = sleep
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MAX_WAITING)
        self._is_filled = asyncio.Event()

    def post(self, resource: Resource, event: EmitEvent) -> None:
        """Have an Event about the resource posted soon."""
        self._waiting.append((resource.key.namespace, build_event(resource, event)))
        self._is_filled.set()

    async def run(self) -> None:
        """Post what comes, until cancelled."""
        while True:
            await self._is_filled.wait()
            self._is_filled.clear()
            while self._waiting:
                await self._post(*self._waiting.popleft())

    async def _post(self, namespace: str, body: dict[str, Any]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._connection.post(paths.events(namespace), body)
            except ApiError as error:
                # The namespace is being deleted or gone; or the Event is there, and only the answer was lost.
                if error.code in (FORBIDDEN, NOT_FOUND, CONFLICT):
                    return
                logger.info("The Event %s was not taken: %s", body["reason"], error)
                await self._sleep(PAUSE_S * 2**attempt)
            else:
                return
        logger.warning("The Event %s about %s is dropped", body["reason"], body["involvedObject"]["name"])


def build_event(resource: Resource, event: EmitEvent) -> dict[str, Any]:
    """The Event as the API server takes it."""
    now = format_time(datetime.now(UTC))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{resource.key.name}.{uuid.uuid4().hex[:16]}", "namespace": resource.key.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": resource.key.namespace,
            "name": resource.key.name,
            "uid": resource.uid,
            "resourceVersion": resource.resource_version,
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message.encode()[:MAX_NOTE].decode(errors="ignore"),
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
    }
