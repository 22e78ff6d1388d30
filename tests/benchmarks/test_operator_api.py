"""The client against a server that breaks off, refuses and repeats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from benchmarks.errors import BenchmarkError
from benchmarks.operator.api import METADATA, Api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def api_of(handler: Handler) -> AsyncIterator[Api]:
    """Serve with one handler and connect to it."""
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as session:
            host, port = runner.addresses[0][:2]
            yield Api(session, f"http://{host}:{port}", {"Authorization": "Bearer x"})
    finally:
        await runner.cleanup()


def event(version: int, event_type: str = "ADDED", **fields: Any) -> bytes:
    document = {"type": event_type, "object": {"metadata": {"resourceVersion": str(version)}, **fields}}
    return json.dumps(document).encode() + b"\n"


async def stream(request: web.Request, *chunks: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
        await asyncio.sleep(0)
    return response


def test_a_watch_goes_on_where_it_was_broken_off() -> None:
    asked: list[tuple[str, str]] = []
    last = event(5)
    answers = iter([(event(2) + event(3)[:20], event(3)[20:]), (event(4, "BOOKMARK"),), (last[:1], last[1:])])

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((request.query["resourceVersion"], request.headers["Accept"]))
        return await stream(request, *next(answers))

    async def watch() -> list[str]:
        versions = []
        async with api_of(handle) as api:
            async for each in api.watch("/jobs", "1", accept=METADATA):
                versions.append(each["object"]["metadata"]["resourceVersion"])
                if versions[-1] == "5":
                    break
        return versions

    assert asyncio.run(watch()) == ["2", "3", "5"]
    assert asked == [("1", METADATA), ("3", METADATA), ("4", METADATA)]


def test_a_watch_with_a_gap_is_an_error() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await stream(request, event(0, "ERROR", message="too old resource version"))

    async def watch() -> None:
        async with api_of(handle) as api:
            await anext(aiter(api.watch("/jobs", "1")))

    with pytest.raises(BenchmarkError, match=r"The watch of /jobs was ended: too old resource version"):
        asyncio.run(watch())


def test_a_collection_is_followed_from_its_list_on() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            assert request.query["resourceVersion"] == "7"
            return await stream(request, event(8, "DELETED"))
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {}}]})

    async def follow() -> list[str]:
        types = []
        async with api_of(handle) as api:
            async for each in api.follow("/pods"):
                types.append(each["type"])
                if len(types) == 2:
                    break
        return types

    assert asyncio.run(follow()) == ["ADDED", "DELETED"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (web.json_response({"message": "quota exceeded"}, status=403), r"POST /jobs with 403: quota exceeded$"),
        (web.Response(status=502), r"POST /jobs with 502: it said nothing$"),
    ],
    ids=["in its words", "without any"],
)
def test_a_refusal_is_told(answer: web.Response, words: str) -> None:
    async def handle(_: web.Request) -> web.StreamResponse:
        return answer

    async def create() -> None:
        async with api_of(handle) as api:
            await api.create("/jobs", {})

    with pytest.raises(BenchmarkError, match=words):
        asyncio.run(create())


def test_what_is_gone_needs_no_deletion() -> None:
    asked: list[tuple[str, str, Any]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((request.method, request.headers["Authorization"], await request.json()))
        return web.json_response({"message": "not found"}, status=404)

    async def delete() -> None:
        async with api_of(handle) as api:
            await api.delete("/pods", {"gracePeriodSeconds": 0})

    asyncio.run(delete())
    assert asked == [("DELETE", "Bearer x", {"gracePeriodSeconds": 0})]
