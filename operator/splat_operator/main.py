"""The parts of the operator and how they are put together: what starts, what feeds what, and what ends with it.

Nothing is decided here. kopf runs the process; the operator leaves no trace of a framework on the objects: no finalizer
but its own, no annotation, no returned value.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import kopf
from kubernetes.aio import client

from splat_operator.api.model import Key
from splat_operator.api.names import PLURAL
from splat_operator.api.settings import Settings
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.cluster.discovery import wait_for_queues, wait_until_served
from splat_operator.cluster.events import EventPoster
from splat_operator.cluster.executor import Executor
from splat_operator.cluster.observer import Observer
from splat_operator.cluster.paths import JOBS, PODS, WORKLOADS
from splat_operator.cluster.store import Store
from splat_operator.cluster.watches import Watch, wait_until_listed
from splat_operator.runtime import health, metrics
from splat_operator.runtime.controller import Controller
from splat_operator.runtime.leader import Leader
from splat_operator.runtime.log_reader import LogReader
from splat_operator.runtime.workqueue import WorkQueue

SWEEP_S = 60.0
"""Between two looks at which namespaces still have resources."""

logger = logging.getLogger(__name__)


class Operator:
    """All parts of one process, from kopf's startup to its cleanup."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.queue: WorkQueue[Key] = WorkQueue()
        self.store = Store(settings.controller_name, labels=(settings.cost_label,))
        self.watches: list[Watch] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """By name; all of them run from start to stop."""
        self._scopes: tuple[str | None, ...] = settings.watch_namespaces or (None,)
        """Namespaces to watch; None is all of them."""
        self._has_listed = False
        self._may_write: Callable[[], bool] = lambda: True
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def start(self) -> None:
        """Begin to answer probes, wait for the API to serve the resource, then begin to watch and to work."""
        runner = await health.serve(self.settings.health_port, lambda: health.problems(self.tasks, self.watches))
        self._closing.append(runner.cleanup)
        state = metrics.StateCollector(self.store.phases, self._watch_times, self.queue.backlog)
        stop_metrics = metrics.serve(self.settings.metrics_port, state)
        self._closing.append(lambda: asyncio.to_thread(stop_metrics))
        connection = await Connection.open(may_write=lambda: self._may_write(), count=metrics.record_request)
        self._closing.append(connection.close)
        may_act = self._stand_for_election()
        self._run("operation", self._operate(connection, may_act))

    async def stop(self) -> None:
        """Drop passes under way, which any later one takes up, and close what was opened."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        for close in reversed(self._closing):
            await close()

    def _stand_for_election(self) -> asyncio.Event:
        """What is set when this process may act: at once where it is the only one."""
        may_act = asyncio.Event()
        if self.settings.lease is None:
            may_act.set()
            return may_act
        api = client.ApiClient()
        leader = Leader(api, lease=self.settings.lease, identity=self.settings.identity)
        self._may_write = lambda: leader.may_write
        self._closing += [api.close, leader.release]

        def lead() -> None:
            # The one before may have written what no watch has brought yet; a list that is still to come has it.
            if self._has_listed:
                self.store.doubt()
            may_act.set()

        # Who has lost the Lease cannot know what he has missed: a new process begins anew.
        self._run("election", leader.run(lead, lambda: os.kill(os.getpid(), signal.SIGTERM)))
        return may_act

    async def _operate(self, connection: Connection, may_act: asyncio.Event) -> None:
        await wait_until_served(connection)
        logs = LogReader(
            connection,
            self.queue.add,
            interval_s=self.settings.progress_interval_s,
            reads_per_s=self.settings.log_reads_per_s,
        )
        poster = EventPoster(connection)
        observer, executor = Observer(connection, self.store, self.settings), Executor(connection, self.store)
        controller = Controller(observer, executor, poster, logs, self.settings)
        await self._list(connection)
        for namespace in self._scopes:
            self._run(_name(WORKLOADS, namespace), self._follow_queues(connection, namespace))
        await may_act.wait()
        metrics.LEADING.set(1)
        self._run("logs", logs.run())
        self._run("events", poster.run())
        self._run("series", self._sweep())
        await self.queue.run(controller.process, workers=self.settings.workers, expected=(ApiError,))

    async def _list(self, connection: Connection) -> None:
        """Watch everything, and wait until it is in the store.

        Pods are listed after Jobs: those of a Job that is deleted between the two would be missed.
        """
        for kinds in ((PLURAL, JOBS), (PODS,)):
            begun = [self._watch(connection, kind, namespace) for kind in kinds for namespace in self._scopes]
            for watch in begun:
                self._run(_name(watch.kind, watch.namespace), watch.run())
            await wait_until_listed(begun)
        self._has_listed = True

    async def _follow_queues(self, connection: Connection, namespace: str | None) -> None:
        """Watch what Kueue says, for as long as there is a Kueue."""
        while True:
            api = await wait_for_queues(connection, namespace)
            watch = self._watch(connection, WORKLOADS, namespace, api=api)
            try:
                await watch.run()
            except ApiError as error:
                logger.info("Kueue's Workloads are gone: %s", error)
            self.watches.remove(watch)
            for key in self.store.keep_only(WORKLOADS, namespace, set(), ""):
                self.queue.add(key)

    def _watch(self, connection: Connection, kind: str, namespace: str | None, *, api: str | None = None) -> Watch:
        interval_s = self.settings.relist_interval_s
        watch = Watch(connection, self.store, kind, namespace, self.queue.add, relist_interval_s=interval_s, api=api)
        self.watches.append(watch)
        return watch

    def _watch_times(self) -> metrics.WatchTimes:
        """Of several watches of one kind the last event, the oldest list and the longest silence."""
        watches = list(self.watches)
        return metrics.WatchTimes(
            last_events=_by_kind(max, [(watch.kind, watch.last_event) for watch in watches]),
            last_lists=_by_kind(min, [(watch.kind, watch.last_list) for watch in watches]),
            silent_s=_by_kind(max, [(watch.kind, watch.silent_s) for watch in watches]),
        )

    async def _sweep(self) -> None:
        series = metrics.NamespaceSeries()
        while True:
            await asyncio.sleep(SWEEP_S)
            series.sweep(self.store.namespaces())

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks[name] = asyncio.create_task(work, name=name)


def _name(kind: str, namespace: str | None) -> str:
    return f"watch of {kind}{f' in {namespace}' if namespace else ''}"


def _by_kind(choose: Callable[[list[float]], float], values: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    known: dict[str, list[float]] = {}
    for kind, value in values:
        if value is not None:
            known.setdefault(kind, []).append(value)
    return {kind: choose(of_kind) for kind, of_kind in known.items()}


def register(operator: Operator) -> None:
    """Have kopf start and stop the operator."""

    @kopf.on.startup()
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await operator.start()

    @kopf.on.cleanup()
    async def stop(**_: Any) -> None:
        await operator.stop()


def configure(settings: kopf.OperatorSettings) -> None:
    """Keep kopf from what this operator does itself, and has no rights for."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
