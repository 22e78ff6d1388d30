"""JSON requests to the API server with the official client's configuration, authentication and connection pool.

Objects stay the dictionaries that they are on the wire: the client's typed models cost a validation of every field.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from kubernetes.aio import client, config

TIMEOUT_S = 30.0
MERGE_PATCH = "application/merge-patch+json"
FORBIDDEN = 403
NOT_ACCEPTABLE = 406
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiError(Exception):
    """The API server refused a request, in its own words, or did not answer."""

    def __init__(self, code: int, words: str, causes: Sequence[str] = ()) -> None:
        super().__init__(words)
        self.code = code
        """HTTP status; 0 without an answer."""
        self.causes = tuple(causes)
        """Reasons of the causes that the API server names, such as NamespaceTerminating."""


class Connection:
    """A pool of connections to one API server."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api: Any = api  # Half of its methods lack types.

    @classmethod
    async def open(cls) -> Connection:
        """Connect as the pod's service account, or outside a cluster as the current kube context says."""
        loaders: Any = config
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            loaders.load_incluster_config()
        else:
            await loaders.load_kube_config()
        return cls(client.ApiClient())

    async def close(self) -> None:
        """End all connections."""
        await self._api.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The object at that path. Raises ApiError."""
        return json.loads(await self._request("GET", path, query=query))

    async def get_metadata(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The list at that path with the metadata alone of each object. Raises ApiError."""
        try:
            return json.loads(await self._request("GET", path, query=query, accept=METADATA_ONLY))
        except ApiError as error:
            if error.code != NOT_ACCEPTABLE:
                raise
            return await self.get(path, query)  # A server that lacks this form has the plain one.

    async def get_text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """The text at that path, such as a log; bytes that are no UTF-8 are replaced. Raises ApiError."""
        return (await self._request("GET", path, query=query)).decode(errors="replace")

    async def post(self, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None) -> None:
        """Create an object. Raises ApiError."""
        await self._request("POST", path, body=body, query=query)

    async def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Apply a JSON merge patch. Raises ApiError."""
        await self._request("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def delete(self, path: str, body: Mapping[str, Any]) -> None:
        """Delete an object; `body` holds DeleteOptions. Raises ApiError."""
        await self._request("DELETE", path, body=body)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        request = await self._api.param_serialize(
            method,
            path,
            query_params=_pairs(query),
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._api.call_api(*request)
                content: bytes = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise ApiError(0, f"The API server does not answer {method} {path}: {error or 'timeout'}") from error
        if response.status >= 400:
            raise _refusal(response.status, content, str(response.reason))
        return content


def _pairs(query: Mapping[str, str] | None) -> Sequence[tuple[str, str]]:
    return list((query or {}).items())


def _refusal(code: int, content: bytes, otherwise: str) -> ApiError:
    """What the Status object says that an API server answers errors with."""
    try:
        status = json.loads(content)
        causes = (status.get("details") or {}).get("causes") or []
        return ApiError(code, str(status["message"]), [str(cause.get("reason")) for cause in causes])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(code, otherwise)
