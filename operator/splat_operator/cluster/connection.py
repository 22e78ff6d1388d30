"""JSON requests to the API server with the official client's configuration, authentication and connection pool.

Objects stay the dictionaries that they are on the wire: the client's typed models cost a validation of every field.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client, config

from splat_operator.api.spec import Json
from splat_operator.cluster.paths import kind_of

TIMEOUT_S = 30.0
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

NO_ANSWER = 0
BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT, GONE, UNPROCESSABLE = 400, 403, 404, 409, 410, 422
INTERNAL_ERROR = 500
"""What the API server answers with, as far as anything depends on it."""

_VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


class ApiError(Exception):
    """The API server refused a request, in its own message, or did not answer."""

    def __init__(self, code: int, message: str, causes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        """HTTP status; NO_ANSWER without one."""
        self.causes = tuple(causes)
        """Reasons of the causes that the API server names, such as NamespaceTerminating."""


class NotLeadingError(ApiError):
    """A write was held back, since another process may be the leader by now."""


Count = Callable[[str, str, int], None]
"""Counts a request by verb, kind and HTTP status."""


class Connection:
    """A pool of connections to one API server.

    Args:
        api: the official client.
        may_write: whether this process may change anything at this moment.
        count: counts requests when they have been answered.
    """

    def __init__(
        self,
        api: client.ApiClient,
        *,
        may_write: Callable[[], bool] = lambda: True,
        count: Count = lambda *_: None,
    ) -> None:
        self.api: Any = api  # Half of its methods lack types.
        self._may_write = may_write
        self._count = count

    @classmethod
    async def open(cls, *, may_write: Callable[[], bool] = lambda: True, count: Count = lambda *_: None) -> Connection:
        """Connect as the pod's service account, or outside a cluster as the current kube context says."""
        loaders: Any = config
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            loaders.load_incluster_config()
        else:
            await loaders.load_kube_config()
        configuration = client.Configuration.get_default_copy()
        # No limit: each watch holds one all the time, of which there are three for each namespace that is watched.
        configuration.connection_pool_maxsize = 0
        # Else aiohttp looks for a netrc file and for a proxy before each request, each time in another thread.
        configuration.client_session_kwargs = {"trust_env": False}
        configuration.proxy = configuration.proxy or proxy_for(configuration.host)
        return cls(client.ApiClient(configuration), may_write=may_write, count=count)

    async def close(self) -> None:
        """End all connections."""
        await self.api.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The object at that path. Raises ApiError."""
        return _object(await self._request("GET", path, query=query))

    async def get_text(self, path: str, query: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S) -> str:
        """The text at that path, such as a log; bytes that are no UTF-8 are replaced. Raises ApiError."""
        return (await self._request("GET", path, query=query, timeout_s=timeout_s)).decode(errors="replace")

    async def post(self, path: str, body: Json, query: Mapping[str, str] | None = None) -> Any:
        """Create an object; returns it as it is then. Raises ApiError."""
        return _object(await self._request("POST", path, body=body, query=query))

    async def patch(self, path: str, body: Json, *, content_type: str = MERGE_PATCH) -> Any:
        """Apply a patch; returns the object as it is then. Raises ApiError."""
        return _object(await self._request("PATCH", path, body=body, content_type=content_type))

    async def delete(self, path: str, body: Json) -> None:
        """Delete an object; `body` holds DeleteOptions. Raises ApiError."""
        await self._request("DELETE", path, body=body)

    async def watch(self, path: str, query: Mapping[str, str], *, silence_s: float) -> AsyncGenerator[bytes]:
        """The lines of a watch until the server ends it, the first one empty when it is open.

        Raises ApiError, with NO_ANSWER where nothing came for `silence_s`.
        """
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(silence_s):
                    response = await stack.enter_async_context(self._open("GET", path, query={**query, "watch": "1"}))
                yield b""
                while line := await asyncio.wait_for(response.content.readline(), silence_s):
                    yield line
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise ApiError(NO_ANSWER, f"The watch of {path} broke off: {error or 'nothing came'}") from error

    async def _request(self, method: str, path: str, *, timeout_s: float = TIMEOUT_S, **parts: Any) -> bytes:
        try:
            async with asyncio.timeout(timeout_s), self._open(method, path, **parts) as response:
                content: bytes = await response.read()
                return content
        except (TimeoutError, aiohttp.ClientError) as error:
            message = f"The API server does not answer {method} {path}: {error or 'timeout'}"
            raise ApiError(NO_ANSWER, message) from error

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # To compress a long list costs the API server more time than a cluster's network saves.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": content_type}
        request = await self.api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        if method in _VERBS and not self._may_write():
            raise NotLeadingError(NO_ANSWER, f"{method} {path} was held back: another process may be the leader")
        # A watch has no end of its own; the others are within a timeout of their caller's.
        timeout = aiohttp.ClientTimeout(sock_connect=TIMEOUT_S)
        answer = await self.api.call_api(*request, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        async with response:
            self._count(_verb(method, path, query), kind_of(path), response.status)
            if response.status >= 400:
                raise _refusal(response.status, await response.read(), str(response.reason))
            yield response


def proxy_for(url: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a URL."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def _verb(method: str, path: str, query: Mapping[str, str] | None) -> str:
    """The request as RBAC calls it, and the reading of a log by that name."""
    if method != "GET":
        return _VERBS[method]
    if path.endswith("/log"):
        return "logs"
    if query and "watch" in query:
        return "watch"
    return "list" if _is_collection(path) else "get"


def _is_collection(path: str) -> bool:
    return path.rpartition("/")[2] == kind_of(path)


def _object(content: bytes) -> Any:
    """The object that an answer holds. Raises ApiError for what a proxy says instead."""
    try:
        return json.loads(content)
    except ValueError as error:
        raise ApiError(NO_ANSWER, f"The answer is no JSON: {error}") from error


def _refusal(code: int, content: bytes, otherwise: str) -> ApiError:
    """What the Status object says that an API server answers errors with."""
    try:
        status = json.loads(content)
        causes = (status.get("details") or {}).get("causes") or []
        return ApiError(code, str(status["message"]), [str(cause.get("reason")) for cause in causes])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(code, otherwise)
