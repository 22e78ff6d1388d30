"""JSON requests to the API server, and its watches, through one pool of connections."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
from kubernetes.aio import client, config

from benchmarks.errors import BenchmarkError

Json = Mapping[str, Any]

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Asks for the metadata alone of each object, a quarter of a pod's bytes."""
PLAIN = "application/json"
TIMEOUT = aiohttp.ClientTimeout(total=90)
"""Longer than the 60 s after which the API server itself ends most requests."""
NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10)
"""For watches, and for the deletion of a collection: 12,000 resources took 83 s on 2 busy cores."""
RECONNECT_S = 0.5
NOT_FOUND = 404


class RefusedError(BenchmarkError):
    """The API server refused a request."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class Api:
    """Requests as the user of the kubeconfig.

    Args:
        session: the pool.
        host: URL of the API server.
        headers: who asks.
    """

    def __init__(self, session: aiohttp.ClientSession, host: str, headers: Mapping[str, str]) -> None:
        self._session, self._host, self._headers = session, host, headers

    async def get(self, path: str, **query: str) -> Json:
        """Return the object or list at a path."""
        found: Json = json.loads(await self._request("GET", path, query=query))
        return found

    async def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at a path and return it."""
        made: Json = json.loads(await self._request("POST", path, body=body))
        return made

    async def delete(self, path: str, options: Json | None = None, **query: str) -> None:
        """Delete an object, or with a collection's path all that the query selects; nothing there is no error."""
        try:
            await self._request("DELETE", path, body=options or {}, query=query, timeout=NO_TIMEOUT)
        except RefusedError as error:
            if error.code != NOT_FOUND:
                raise

    async def watch(self, path: str, since: str, *, accept: str = PLAIN, **query: str) -> AsyncIterator[Json]:
        """Yield every event after the resourceVersion `since`, without end and without a gap.

        Raises:
            BenchmarkError: the API server no longer has what came between two connections.
        """
        version = since
        while True:
            selected = {**query, "watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
            try:
                async with self._session.get(
                    self._host + path,
                    params=selected,
                    headers={**self._headers, "Accept": accept},
                    timeout=NO_TIMEOUT,
                ) as response:
                    _check(response.status, "GET", path, b"")
                    async for line in _lines(response.content):
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            raise BenchmarkError(f"The watch of {path} was ended: {event['object'].get('message')}")
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            yield event
            except aiohttp.ClientError:
                await asyncio.sleep(RECONNECT_S)

    async def follow(self, path: str, **query: str) -> AsyncIterator[Json]:
        """Yield what is in a collection as events, then every further event, without end."""
        listed = await self.get(path, **query)
        for item in listed["items"]:
            yield {"type": "ADDED", "object": item}
        async for event in self.watch(path, listed["metadata"]["resourceVersion"], **query):
            yield event

    async def text(self, url: str) -> str:
        """Return what another server answers, without saying who asks.

        Raises:
            BenchmarkError: it does not answer.
        """
        try:
            async with self._session.get(url, timeout=TIMEOUT, raise_for_status=True) as response:
                return await response.text()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise BenchmarkError(f"{url} does not answer: {error or 'timeout'}") from error

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> bytes:
        try:
            async with self._session.request(
                method, self._host + path, params=query, json=body, headers=self._headers, timeout=timeout
            ) as response:
                content = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise BenchmarkError(f"The API server does not answer {method} {path}: {error or 'timeout'}") from error
        _check(response.status, method, path, content)
        return content


def kubeconfig() -> str:
    """Return the kubeconfig's path as the environment has it now; the client would remember that of its import."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


@asynccontextmanager
async def open_api() -> AsyncIterator[Api]:
    """Connect as the current kube context says.

    Raises:
        BenchmarkError: there is none.
    """
    loaded, loader = client.Configuration(), cast(Any, config)  # of which half lacks types
    try:
        await loader.load_kube_config(config_file=kubeconfig(), client_configuration=loaded)
    except config.ConfigException as error:
        raise BenchmarkError('There is no kubeconfig: start the cluster, and eval "$(make -s cluster-env)".') from error
    token = await loaded.get_api_key_with_prefix("BearerToken")
    context = ssl.create_default_context(cafile=loaded.ssl_ca_cert)
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**20) as session:
        yield Api(session, loaded.host, {"Authorization": token} if token else {})


def _check(status: int, method: str, path: str, content: bytes) -> None:
    if status >= 400:
        raise RefusedError(status, f"The API server refused {method} {path} with {status}: {_words(content)}")


def _words(content: bytes) -> str:
    """Return what the Status object says that errors are answered with."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace")[:200] or "it said nothing"


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream into lines of any length, which the reader's own lines are not."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
