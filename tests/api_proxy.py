"""A reverse proxy before the API server: sees what a client writes, may cut it off there, and may fall silent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from kubernetes import client, config

WRITES = ("POST", "PUT", "PATCH", "DELETE")
OF_ONE_CONNECTION = ("connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding")
LONGEST_LINE = 2**22
"""Bytes of a watch event."""


@dataclass
class Write:
    """A request that changes something.

    Attributes:
        method: of HTTP.
        path: without the query.
        query: of the request.
        body: as it was sent.
        code: HTTP status of the API server's answer; None until `cuts_off` has been asked about it.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    code: int | None = None


def let_pass(_write: Write, _code: int | None) -> bool:
    """Cut nothing off."""
    return False


class ApiProxy:
    """HTTP for one client, with the rights of a kubeconfig; a context in which it serves from a thread of its own.

    Attributes:
        writes: all requests that change something, in the order in which they came.
        reads: the paths of all others, likewise.
        cuts_off: asked twice about each write: before it is forwarded, and with its HTTP status after it was answered.
            Where it says yes, the write goes no further, or its answer does not.
        is_silent: nothing comes from watches any more, and new ones are not answered; all else goes through.
    """

    def __init__(self, kubeconfig: str | None) -> None:
        self.writes: list[Write] = []
        self.reads: list[str] = []
        self.cuts_off: Callable[[Write, int | None], bool] = let_pass
        self.is_silent = False
        self._upstream = client.Configuration()
        config.load_kube_config(config_file=kubeconfig, client_configuration=self._upstream)
        self._url = ""
        self._session: aiohttp.ClientSession
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> ApiProxy:
        self._thread.start()
        self._running = self._serve()
        self._url = asyncio.run_coroutine_threadsafe(self._running.__aenter__(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._running.__aexit__(None, None, None), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def kubeconfig(self, folder: Path) -> Path:
        """Write what lets a client come here."""
        path = folder / "proxy.kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": self._url}}],
            "users": [{"name": "proxy", "user": {"token": "none"}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        }
        path.write_text(json.dumps(document))
        return path

    @contextlib.asynccontextmanager
    async def _serve(self) -> AsyncIterator[str]:
        connector = aiohttp.TCPConnector(ssl=_tls(self._upstream), limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        application = web.Application(client_max_size=LONGEST_LINE)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1, access_log=None)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, read_bufsize=LONGEST_LINE
        ) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.method not in WRITES:
            self.reads.append(request.path)
            if self.is_silent and _is_watch(request):
                await asyncio.Event().wait()
            return await self._forward(request, body)
        write = Write(request.method, request.path, dict(request.query), json.loads(body) if body else None)
        self.writes.append(write)
        if self.cuts_off(write, None):
            return web.Response(status=502)
        answer = await self._forward(request, body)
        is_cut_off = self.cuts_off(write, answer.status)
        write.code = answer.status
        return web.Response(status=502) if is_cut_off else answer

    async def _forward(self, request: web.Request, body: bytes) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OF_ONE_CONNECTION}
        if token := self._upstream.get_api_key_with_prefix("BearerToken"):
            headers["Authorization"] = token
        async with self._session.request(
            request.method, f"{self._upstream.host}{request.path_qs}", headers=headers, data=body or None
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in OF_ONE_CONNECTION}
            if _is_watch(request) and answer.status == 200:
                return await self._stream(request, web.StreamResponse(headers=kept), answer.content)
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async def _stream(
        self, request: web.Request, response: web.StreamResponse, events: aiohttp.StreamReader
    ) -> web.StreamResponse:
        with contextlib.suppress(ConnectionResetError):  # The client is gone.
            await response.prepare(request)
            async for line in events:
                if not self.is_silent:
                    await response.write(line)
        return response


def _is_watch(request: web.Request) -> bool:
    return request.query.get("watch") in ("true", "1")


def _tls(upstream: client.Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=upstream.ssl_ca_cert)
    if upstream.cert_file:
        context.load_cert_chain(upstream.cert_file, upstream.key_file)
    return context
