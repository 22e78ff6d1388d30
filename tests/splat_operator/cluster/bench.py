"""A watch upon a real HTTP server that does what API servers and their proxies do, with a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web

from compressions import KEY
from raw_objects import Raw, page, raw_resource
from splat_operator.api.model import Key
from splat_operator.api.names import DEFAULT_CONTROLLER, PLURAL
from splat_operator.cluster.connection import Connection
from splat_operator.cluster.store import Store
from splat_operator.cluster.watches import Watch

GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def event(kind: str, raw: Raw) -> Raw:
    return {"type": kind, "object": raw}


def bookmark(version: int) -> Raw:
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})


class ApiServer:
    """Answers the requests in turn as the test says; when it has nothing more to say, watches stay open."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[Answer] = []
        self.idle = asyncio.Event()
        """Set when a request has come that is not answered."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(dict(request.query))
        self.paths.append(request.path)
        if self.answers:
            return await self.answers.pop(0)(request)
        self.idle.set()
        await asyncio.Event().wait()
        raise AssertionError

    def lists(self, *items: Raw, version: int = 100, more: str = "") -> None:
        self.says(200, page(*items, version=version, more=more))

    def says(self, status: int, body: Any) -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response(body, status=status)

        self.answers.append(answer)

    def watches(self, *events: Raw | bytes, then: Callable[[], Awaitable[None]] | None = None) -> None:
        """A watch with these events, which ends then; `then`: what happens before its end."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for each in events:
                await response.write(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n")
            if then:
                await then()
            return response

        self.answers.append(answer)


class Bench:
    """A watch of pods, what it has woken, and a clock that only the test moves."""

    def __init__(self, api: ApiServer, connection: Connection) -> None:
        self.api = api
        self.connection = connection
        self.now_s = 1000.0
        self.pauses: list[float] = []
        self.woken: list[Key] = []
        self.store = Store(DEFAULT_CONTROLLER)
        self.store.put(PLURAL, raw_resource())

    def make(
        self,
        kind: str = "pods",
        namespace: str | None = None,
        relist_interval_s: float = 1800,
        api: str | None = None,
    ) -> Watch:
        return Watch(
            self.connection,
            self.store,
            kind,
            namespace,
            self.woken.append,
            relist_interval_s=relist_interval_s,
            api=api,
            clock=lambda: self.now_s,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def sleep_of(self, seconds: float) -> None:
        """So much time goes by."""
        self.now_s += seconds

    @asynccontextmanager
    async def running(self, watch: Watch) -> AsyncIterator[None]:
        """Until the server has nothing more to say."""
        task = asyncio.create_task(watch.run())
        try:
            async with asyncio.timeout(10):
                await asyncio.wait([task, asyncio.create_task(self.api.idle.wait())], return_when="FIRST_COMPLETED")
                assert not task.done(), task.exception()
                yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def pods(self) -> list[str]:
        seen = self.store.observe(KEY)
        assert seen is not None
        return sorted(pod.name for pod in seen.pods)
