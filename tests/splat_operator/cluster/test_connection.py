"""Requests to a real HTTP server: what is sent, how refusals are told, what is counted, and what is held back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from splat_operator.cluster.connection import (
    MERGE_PATCH,
    NO_ANSWER,
    STRATEGIC_PATCH,
    ApiError,
    Connection,
    NotLeadingError,
    proxy_for,
)

pytestmark = pytest.mark.asyncio

JOBS = "/apis/batch/v1/namespaces/default/jobs"


class World:
    """A server that answers as the test says, and a connection to it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], str, bytes]] = []
        self.counted: list[tuple[str, str, int]] = []
        self.may_write = True
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.say({"items": []})
        self.url = ""

    def say(self, body: Any, status: int = 200) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return web.Response(body=content, status=status)

        return answer

    async def receive(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        kind = request.headers.get("Content-Type", "")
        self.requests.append((request.method, request.path, dict(request.query), kind, content))
        return await self.answer(request)

    def connect(self) -> Connection:
        return Connection(
            client.ApiClient(client.Configuration(host=self.url)),
            may_write=lambda: self.may_write,
            count=lambda *what: self.counted.append(what),
        )


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", world.receive)
    async with TestServer(app) as server, asyncio.timeout(20):
        world.url = str(server.make_url("")).rstrip("/")
        yield world


@pytest_asyncio.fixture
async def connection(world: World) -> AsyncIterator[Connection]:
    connection = world.connect()
    yield connection
    await connection.close()


Do = Callable[[Connection], Awaitable[Any]]
WRITES: dict[str, tuple[Do, str, str]] = {
    "create": (lambda api: api.post(JOBS, {"a": 1}, {"dryRun": "All"}), "POST", "application/json"),
    "patch": (lambda api: api.patch(f"{JOBS}/a", {"a": 1}), "PATCH", MERGE_PATCH),
    "strategic patch": (
        lambda api: api.patch(f"{JOBS}/a", {"a": 1}, content_type=STRATEGIC_PATCH),
        "PATCH",
        STRATEGIC_PATCH,
    ),
    "delete": (lambda api: api.delete(f"{JOBS}/a", {"a": 1}), "DELETE", "application/json"),
}


@pytest.mark.parametrize(("do", "method", "kind"), WRITES.values(), ids=WRITES)
async def test_a_write_is_sent_as_json(world: World, connection: Connection, do: Do, method: str, kind: str) -> None:
    await do(connection)
    ((sent, path, _, content_type, body),) = world.requests
    assert (sent, content_type, json.loads(body)) == (method, kind, {"a": 1})
    assert path.startswith(JOBS)


@pytest.mark.parametrize(("do", "method", "kind"), WRITES.values(), ids=WRITES)
async def test_who_may_not_lead_writes_nothing(
    world: World, connection: Connection, do: Do, method: str, kind: str
) -> None:
    world.may_write = False
    with pytest.raises(NotLeadingError, match=f"{method} .* was held back: another process may be the leader"):
        await do(connection)
    assert (world.requests, world.counted) == ([], [])
    assert await connection.get(JOBS) == {"items": []}, f"reading is everybody's, unlike {kind}"


CAUSES = {"message": "being terminated", "details": {"causes": [{"reason": "NamespaceTerminating"}, {}]}}
REFUSALS: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "in the server's words": ({"message": "exceeded quota"}, "exceeded quota", ()),
    "with causes": (CAUSES, "being terminated", ("NamespaceTerminating", "None")),
    "no status": ([], "Forbidden", ()),
    "a proxy's page": (b"<html>", "Forbidden", ()),
    "nothing": (b"", "Forbidden", ()),
}


@pytest.mark.parametrize(("body", "words", "causes"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_is_told(
    world: World, connection: Connection, body: Any, words: str, causes: tuple[str, ...]
) -> None:
    world.answer = world.say(body, 403)
    with pytest.raises(ApiError) as caught:
        await connection.get(JOBS)
    assert (caught.value.code, str(caught.value), caught.value.causes) == (403, words, causes)


async def test_requests_are_counted_by_what_they_are(world: World, connection: Connection) -> None:
    await connection.get(JOBS)
    await connection.get(f"{JOBS}/a")
    await connection.get_text("/api/v1/namespaces/default/pods/a/log")
    for do, _, _ in WRITES.values():
        await do(connection)
    world.answer = world.say({"message": "no"}, 409)
    with pytest.raises(ApiError):
        await connection.post(JOBS, {})
    assert world.counted == [
        ("list", "jobs", 200),
        ("get", "jobs", 200),
        ("logs", "pods", 200),
        ("create", "jobs", 200),
        ("patch", "jobs", 200),
        ("patch", "jobs", 200),
        ("delete", "jobs", 200),
        ("create", "jobs", 409),
    ]


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def break_off(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize("answer", [hang, break_off], ids=["hangs", "breaks off"])
async def test_no_answer_is_an_error_in_time(world: World, connection: Connection, answer: Any) -> None:
    world.answer = answer
    with pytest.raises(ApiError, match="does not answer GET") as caught:
        await connection.get_text("/api/v1/namespaces/default/pods/a/log", timeout_s=0.05)
    assert (caught.value.code, world.counted) == (NO_ANSWER, [])


async def test_an_answer_that_stops_in_the_middle_is_none(world: World, connection: Connection) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"2026")
        await asyncio.Event().wait()
        return response

    world.answer = answer
    with pytest.raises(ApiError):
        await connection.get_text("/api/v1/namespaces/default/pods/a/log", timeout_s=0.05)


async def test_what_is_no_json_is_no_answer(world: World, connection: Connection) -> None:
    world.answer = world.say(b"<html>")
    with pytest.raises(ApiError, match="is no JSON") as caught:
        await connection.get(JOBS)
    assert caught.value.code == NO_ANSWER


async def test_a_log_need_not_be_text(world: World, connection: Connection) -> None:
    world.answer = world.say(b"a\xffb")
    assert await connection.get_text("/api/v1/namespaces/default/pods/a/log") == "a\ufffdb"


async def test_a_watch_gives_lines_and_says_when_it_is_open(world: World, connection: Connection) -> None:
    world.answer = world.say(b'{"a": 1}\n{"b": 2}\n')
    lines = [line async for line in connection.watch(JOBS, {"resourceVersion": "7"}, silence_s=1)]
    assert lines == [b"", b'{"a": 1}\n', b'{"b": 2}\n']
    assert world.requests[0][2] == {"resourceVersion": "7", "watch": "1"}
    assert world.counted == [("watch", "jobs", 200)]


async def test_a_watch_takes_large_objects(world: World, connection: Connection) -> None:
    """The API server's limit for one is 1.5 MB."""
    line = json.dumps({"a": "x" * 3_000_000}).encode() + b"\n"
    world.answer = world.say(line)
    assert [read async for read in connection.watch(JOBS, {}, silence_s=5)][1] == line


@pytest.mark.parametrize("answer", [hang, break_off], ids=["hangs", "breaks off"])
async def test_a_watch_that_does_not_open(world: World, connection: Connection, answer: Any) -> None:
    world.answer = answer
    with pytest.raises(ApiError, match="broke off") as caught:
        _ = [line async for line in connection.watch(JOBS, {}, silence_s=0.05)]
    assert caught.value.code == NO_ANSWER


async def test_a_watch_that_is_refused(world: World, connection: Connection) -> None:
    world.answer = world.say({"message": "too old resource version"}, 410)
    with pytest.raises(ApiError, match="too old") as caught:
        _ = [line async for line in connection.watch(JOBS, {}, silence_s=1)]
    assert caught.value.code == 410


async def test_watches_of_many_namespaces_leave_room_for_requests(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Three for each namespace that is watched, and each holds its connection all the time."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if "watch" in request.query:
            await asyncio.Event().wait()
        await response.write(b"{}")
        return response

    world.answer = answer
    config = {
        "clusters": [{"name": "a", "cluster": {"server": world.url}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "users": [{"name": "a", "user": {"token": "t"}}],
        "current-context": "a",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    connection = await Connection.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        for number in range(120):
            path = f"/api/v1/namespaces/{number}/pods"
            lines = await stack.enter_async_context(aclosing(connection.watch(path, {}, silence_s=10)))
            assert await anext(lines) == b""
        async with asyncio.timeout(5):
            assert await connection.get(JOBS) == {}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://203.0.113.1:6443", "http://proxy.example:3128"),
        ("https://10.96.0.1:443", None),
        ("http://203.0.113.1:8001", None),
    ],
    ids=["elsewhere", "in NO_PROXY", "of another scheme"],
)
async def test_a_proxy_is_what_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: str | None
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "10.96.0.1,.svc")
    assert proxy_for(url) == expected
