"""Registrations: which watch events put which resource's key on the queue, and what starts and ends with the operator.

Nothing is decided here. Handlers leave no trace on the objects: no finalizer, no annotation, no returned value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import kopf

from splat_operator.api.model import Key
from splat_operator.api.names import GROUP, LABEL_COMPRESSION, LABEL_MANAGED_BY, MANAGER, PLURAL, VERSION
from splat_operator.api.settings import Settings
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.cluster.delivered import Delivered
from splat_operator.cluster.discovery import wait_until_served
from splat_operator.cluster.resync import Resync
from splat_operator.runtime import metrics, probes
from splat_operator.runtime.controller import Controller
from splat_operator.runtime.workqueue import WorkQueue


class Operator:
    """Queue, connection and background tasks, from kopf's startup to its cleanup."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.queue: WorkQueue[Key] = WorkQueue()
        self.pulse = probes.Pulse()
        self.delivered = Delivered()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """By name; all of them run from start to stop."""
        self._connection: Connection | None = None
        self._stop_metrics: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Wait for the API to serve the resource, then begin to work the queue."""
        self._stop_metrics = metrics.serve(self.settings.metrics_port, self.delivered.phases)
        self._connection = await Connection.open()
        await wait_until_served(self._connection)
        controller = Controller(self._connection, self.settings)
        work = self.queue.run(controller.process, workers=self.settings.workers, expected=(ApiError,))
        resync = Resync(
            self._connection,
            self.delivered,
            self.queue.add_after,
            namespaces=self.settings.watch_namespaces,
            interval_s=self.settings.resync_interval_s,
        )
        for name, running in {"queue": work, "resync": resync.run(), "pulse": self.pulse.beat()}.items():
            self.tasks[name] = asyncio.create_task(running)

    def event_seen(self, kind: str, event: kopf.RawEvent) -> None:
        """A watch event has come in; `kind` is the plural's name."""
        self.pulse.event_seen(kind)
        self.delivered.event(kind, event["type"], event["object"])

    async def stop(self) -> None:
        """Drop passes under way, which any later one takes up, and close what was opened."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        if self._connection:
            await self._connection.close()
        self._stop_metrics()


def register(operator: Operator) -> None:
    """Register everything with kopf."""

    @kopf.on.startup()
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await operator.start()

    @kopf.on.cleanup()
    async def stop(**_: Any) -> None:
        await operator.stop()

    @kopf.on.event(GROUP, VERSION, PLURAL)
    async def resource_event(namespace: str | None, name: str, event: kopf.RawEvent, **_: Any) -> None:
        operator.event_seen(PLURAL, event)
        operator.queue.add(Key(str(namespace), name))

    @kopf.on.event("batch", "v1", "jobs")
    @kopf.on.event("", "v1", "pods")
    async def child_event(
        namespace: str | None, labels: Mapping[str, str], resource: kopf.Resource, event: kopf.RawEvent, **_: Any
    ) -> None:
        operator.event_seen(resource.plural, event)
        if LABEL_COMPRESSION in labels:
            operator.queue.add(Key(str(namespace), labels[LABEL_COMPRESSION]))

    probes.register(operator.pulse, operator.tasks, operator.delivered)


def configure(settings: kopf.OperatorSettings) -> None:
    """Set what kopf's defaults leave open or get wrong for a pod."""
    settings.posting.enabled = False  # Events are posted explicitly, after the status they tell of.
    settings.scanning.disabled = True  # No rights to list CRDs and namespaces are wanted.
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    # The server ends a watch by itself after five minutes; a connection that went silent before that is given up.
    settings.watching.server_timeout, settings.watching.client_timeout = 300, 310
    settings.watching.inactivity_timeout = 70
    for kind in (("batch", "v1", "jobs"), ("", "v1", "pods")):
        settings.watching.label_selectors[kind] = f"{LABEL_MANAGED_BY}={MANAGER}"
