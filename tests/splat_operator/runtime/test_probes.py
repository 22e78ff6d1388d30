"""/healthz as kopf serves it: 500 for each of the things that end an operator, every time it is asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import aiohttp
import kopf
import pytest
import pytest_asyncio
from kopf._core.engines.indexing import OperatorIndexers
from kopf._core.engines.probing import health_reporter

from splat_operator.cluster.delivered import Delivered
from splat_operator.runtime import probes

pytestmark = pytest.mark.asyncio

Healthz = Callable[[], Awaitable[tuple[int, str]]]


class Watched:
    """What the probes look at."""

    def __init__(self) -> None:
        self.pulse = probes.Pulse()
        self.delivered = Delivered()
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, error: Exception | None = None) -> asyncio.Task[None]:
        async def work() -> None:
            if error:
                raise error
            await asyncio.Event().wait()

        self.tasks[name] = asyncio.create_task(work())
        return self.tasks[name]


@pytest.fixture
def registry() -> Iterator[kopf.OperatorRegistry]:
    before, registry = kopf.get_default_registry(), kopf.OperatorRegistry()
    kopf.set_default_registry(registry)
    yield registry
    kopf.set_default_registry(before)


@pytest_asyncio.fixture
async def watched(registry: kopf.OperatorRegistry) -> AsyncIterator[Watched]:  # noqa: ARG001 - to register with
    watched = Watched()
    probes.register(watched.pulse, watched.tasks, watched.delivered)
    yield watched
    for task in watched.tasks.values():
        task.cancel()
    await asyncio.gather(*watched.tasks.values(), return_exceptions=True)


@pytest_asyncio.fixture
async def healthz(registry: kopf.OperatorRegistry) -> AsyncIterator[Healthz]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/healthz"
    ready = asyncio.Event()
    reporter = asyncio.create_task(
        health_reporter(
            url,
            memo=kopf.Memo(),
            indices=OperatorIndexers().indices,
            registry=registry,
            settings=kopf.OperatorSettings(),
            ready_flag=ready,
        )
    )
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        await ready.wait()

        async def ask() -> tuple[int, str]:
            async with session.get(url) as response:
                return response.status, await response.text()

        yield ask
    reporter.cancel()
    with suppress(asyncio.CancelledError):
        await reporter


async def fails_each_time(healthz: Healthz) -> bool:
    return [(await healthz())[0] for _ in range(3)] == [500, 500, 500]


async def test_healthy(watched: Watched, healthz: Healthz) -> None:
    watched.start("queue")
    status, text = await healthz()
    assert status == 200
    assert '"tasks": ["queue"]' in text
    assert '"loopLagSeconds": 0.0' in text
    assert '"stalledWatches": []' in text


async def test_late_loop(watched: Watched, healthz: Healthz, caplog: pytest.LogCaptureFixture) -> None:
    watched.pulse.lag_s = probes.MAX_LAG_S + 1
    assert await fails_each_time(healthz)
    assert "The event loop is 21.0 s late." in caplog.text
    watched.pulse.lag_s = 0
    assert (await healthz())[0] == 200


async def test_stalled_watch(watched: Watched, healthz: Healthz, caplog: pytest.LogCaptureFixture) -> None:
    watched.delivered.judge("jobs", {"1"})
    assert await fails_each_time(healthz)
    assert "the watch of jobs" in caplog.text
    watched.delivered.event("jobs", "MODIFIED", {"metadata": {"uid": "1", "resourceVersion": "2"}})
    assert (await healthz())[0] == 200


async def test_task_that_failed(watched: Watched, healthz: Healthz, caplog: pytest.LogCaptureFixture) -> None:
    watched.start("resync")
    await asyncio.wait([watched.start("queue", error=RuntimeError("broken"))])
    assert await fails_each_time(healthz)
    assert "has ended: queue (RuntimeError('broken'))." in caplog.text


async def test_task_that_was_cancelled(watched: Watched, healthz: Healthz, caplog: pytest.LogCaptureFixture) -> None:
    task = watched.start("resync")
    task.cancel()
    await asyncio.wait([task])
    assert await fails_each_time(healthz)
    assert "has ended: resync (cancelled)." in caplog.text


async def test_age_of_the_last_event(watched: Watched, healthz: Healthz) -> None:
    watched.pulse.event_seen("jobs")
    assert '"lastEventAgeSeconds": 0.' in (await healthz())[1]
