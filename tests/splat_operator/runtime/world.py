"""All that a pass uses, upon an API server in memory."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prometheus_client import REGISTRY

from compressions import KEY, SETTINGS, at
from fake_connection import FakeConnection
from raw_objects import Raw, raw_resource
from splat_operator.api.model import Key
from splat_operator.api.names import DEFAULT_CONTROLLER, PLURAL
from splat_operator.cluster import paths
from splat_operator.cluster.events import EventPoster
from splat_operator.cluster.executor import Executor
from splat_operator.cluster.observer import Observer
from splat_operator.cluster.store import Store
from splat_operator.runtime.controller import Controller
from splat_operator.runtime.log_reader import LogReader

RESOURCES, JOBS, PODS = (paths.collection(kind, "default") for kind in (PLURAL, "jobs", "pods"))


class World:
    """Events and logs are only noted, as nothing runs them."""

    def __init__(self) -> None:
        self.api, self.store, self.now = FakeConnection(), Store(DEFAULT_CONTROLLER), at(0)
        self.woken: list[Key] = []
        self.poster = EventPoster(self.api)
        self.logs = LogReader(self.api, self.woken.append, interval_s=5, reads_per_s=40)
        self.controller = Controller(
            Observer(self.api, self.store, SETTINGS),
            Executor(self.api, self.store),
            self.poster,
            self.logs,
            SETTINGS,
            self.clock,
        )

    def clock(self) -> datetime:
        return self.now

    def has(self, *, pods: list[Raw] | None = None, jobs: list[Raw] | None = None, **changes: Any) -> None:
        """What is there, and what the watches have brought of it."""
        for kind, path, raws in (
            (PLURAL, RESOURCES, [raw_resource(**changes)]),
            ("jobs", JOBS, jobs or []),
            ("pods", PODS, pods or []),
        ):
            self.api.has(path, *raws)
            for raw in raws:
                self.store.put(kind, raw)

    async def process(self) -> float | None:
        return await self.controller.process(KEY)

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.api.objects[paths.resource(KEY)]["status"]
        return status

    @property
    def told(self) -> list[str]:
        """Reasons of the Events that wait to be posted."""
        return [body["reason"] for _, body in self.poster._waiting]


def passes(result: str) -> float:
    return REGISTRY.get_sample_value("splat_operator_reconcile_total", {"result": result}) or 0.0


def finished(result: str, reason: str) -> float:
    labels = {"namespace": "default", "result": result, "reason": reason}
    return REGISTRY.get_sample_value("splat_compressions_finished_total", labels) or 0.0
