"""/healthz over HTTP: 200, or 500 with what a restart may cure, in both address families."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import cast

import aiohttp
import pytest
import pytest_asyncio

from splat_operator.cluster.watches import Watch
from splat_operator.runtime import health
from splat_operator.runtime.health import MAX_SILENCE_S, problems

pytestmark = pytest.mark.asyncio

Ask = Callable[[], Awaitable[tuple[int, list[str]]]]


class Silent:
    """A watch that has heard nothing for so long."""

    def __init__(self, kind: str, silent_s: float) -> None:
        self.kind, self.silent_s = kind, silent_s


def watches(**silences: float) -> list[Watch]:
    return [cast(Watch, Silent(kind, seconds)) for kind, seconds in silences.items()]


@pytest.fixture
def found() -> list[str]:
    return []


@pytest_asyncio.fixture(params=["127.0.0.1", "[::1]"])
async def ask(request: pytest.FixtureRequest, found: list[str]) -> AsyncIterator[Ask]:
    if request.param == "[::1]" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    runner = await health.serve(port, lambda: found)
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:

        async def get() -> tuple[int, list[str]]:
            async with session.get(f"http://{request.param}:{port}/healthz") as response:
                return response.status, (await response.json())["problems"]

        yield get
    await runner.cleanup()


async def test_alive(ask: Ask) -> None:
    assert await ask() == (200, [])


async def test_what_is_wrong_is_told_and_logged_each_time(
    ask: Ask, found: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    found.append("The watch of jobs has heard nothing for 300 s.")
    assert [await ask() for _ in range(2)] == [(500, found)] * 2
    assert caplog.text.count("heard nothing") == 2
    found.clear()
    assert await ask() == (200, [])


async def test_a_port_that_is_taken_ends_the_start() -> None:
    with socket.create_server(("", 0)) as listener, pytest.raises(OSError, match="address already in use"):
        await health.serve(listener.getsockname()[1], list)


async def ended(work: Awaitable[None], *, cancel: bool = False) -> asyncio.Task[None]:
    async def run() -> None:
        await work

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    if cancel:
        task.cancel()
    with suppress(Exception, asyncio.CancelledError):
        await task
    return task


async def fail() -> None:
    raise RuntimeError("broken")


async def test_a_task_that_ended_is_a_problem_however_it_did() -> None:
    going = asyncio.create_task(asyncio.sleep(60))
    tasks = {
        "logs": await ended(fail()),
        "events": await ended(asyncio.sleep(60), cancel=True),
        "election": await ended(asyncio.sleep(0)),
        "operation": going,
    }
    assert problems(tasks, []) == [
        "The task logs has ended: RuntimeError('broken').",
        "The task events has ended: cancelled.",
        "The task election has ended: None.",
    ]
    going.cancel()


async def test_a_watch_that_hears_nothing_is_a_problem() -> None:
    silent = watches(pods=MAX_SILENCE_S + 1, jobs=MAX_SILENCE_S) + watches(pods=MAX_SILENCE_S + 2)
    assert problems({}, silent) == ["The watch of pods has heard nothing for 300 s."]
    assert problems({}, []) == []
