"""An API server in memory behind the methods of the operator's connection; it records what it is asked."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NamedTuple

from raw_objects import page
from splat_operator.api.model import Json
from splat_operator.cluster.connection import CONFLICT, MERGE_PATCH, NOT_FOUND, TIMEOUT_S, ApiError, Connection
from splat_operator.cluster.paths import kind_of

Raw = dict[str, Any]


class Request(NamedTuple):
    """One that was sent: `options` are query, content type or timeout."""

    verb: str
    path: str
    body: Any = None
    options: Any = None


class FakeConnection(Connection):
    """Objects by their paths. Collections are found by prefix and label selector."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.objects: dict[str, Raw] = {}
        self.logs: dict[str, str] = {}
        """By the path that ends in /log."""
        self.errors: dict[tuple[str, str], list[ApiError | None]] = {}
        """What requests of that verb about that kind are answered with, in turn; None: as usual."""
        self.held: dict[str, asyncio.Event] = {}
        """Requests to a path wait for this."""
        self.in_flight = self.most_in_flight = 0
        self._versions = itertools.count(1000)

    def next_version(self) -> str:
        """One that nothing has had."""
        return str(next(self._versions))

    def has(self, path: str, *objects: Raw) -> None:
        """Objects below a collection's path."""
        for raw in objects:
            self.objects[f"{path}/{raw['metadata']['name']}"] = copy.deepcopy(raw)

    def fails(self, verb: str, kind: str, *errors: ApiError | int | None) -> None:
        """The next requests of that verb about that kind."""
        made = [ApiError(error, f"no, {error}") if isinstance(error, int) else error for error in errors]
        self.errors.setdefault((verb, kind), []).extend(made)

    def sent(self, verb: str, kind: str = "") -> list[Request]:
        """Requests of that verb, about that kind."""
        return [each for each in self.requests if each.verb == verb and kind in ("", kind_of(each.path))]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        await self._receive(Request("get", path, None, query))
        if path in self.objects:
            return copy.deepcopy(self.objects[path])
        if path.rpartition("/")[2] != kind_of(path):
            raise ApiError(NOT_FOUND, f"{path} not found")
        wanted = dict(part.split("=") for part in (query or {}).get("labelSelector", "").split(",") if part)
        found = [raw for place, raw in self.objects.items() if place.startswith(f"{path}/")]
        return page(*(raw for raw in found if wanted.items() <= (raw["metadata"].get("labels") or {}).items()))

    async def get_text(self, path: str, query: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S) -> str:
        await self._receive(Request("logs", path, None, {**(query or {}), "timeout_s": timeout_s}))
        if path not in self.logs:
            raise ApiError(NOT_FOUND, f"{path} not found")
        return self.logs[path]

    async def post(self, path: str, body: Json, query: Mapping[str, str] | None = None) -> Any:
        await self._receive(Request("create", path, copy.deepcopy(body), query))
        raw: Raw = copy.deepcopy(dict(body))
        place = f"{path}/{raw['metadata']['name']}"
        if place in self.objects:
            raise ApiError(CONFLICT, f"{place} already exists")
        raw["metadata"] |= {"uid": f"uid-{self.next_version()}", "resourceVersion": self.next_version()}
        raw["metadata"].setdefault("creationTimestamp", "2026-01-01T12:00:00Z")
        if "dryRun" not in (query or {}):
            self.objects[place] = raw
        return copy.deepcopy(raw)

    async def patch(self, path: str, body: Json, *, content_type: str = MERGE_PATCH) -> Any:
        await self._receive(Request("patch", path, copy.deepcopy(body), content_type))
        place = path.removesuffix("/status")
        if place not in self.objects:
            raise ApiError(NOT_FOUND, f"{place} not found")
        meta = self.objects[place]["metadata"]
        wanted = body.get("metadata", {})
        for name in ("resourceVersion", "uid"):
            if name in wanted and wanted[name] != meta[name]:
                raise ApiError(CONFLICT, f"{place} has been modified")
        self.objects[place] = merged(self.objects[place], body)
        self.objects[place]["metadata"]["resourceVersion"] = self.next_version()
        return copy.deepcopy(self.objects[place])

    async def delete(self, path: str, body: Json) -> None:
        await self._receive(Request("delete", path, copy.deepcopy(body)))
        if path not in self.objects:
            raise ApiError(NOT_FOUND, f"{path} not found")
        if body["preconditions"]["uid"] != self.objects[path]["metadata"]["uid"]:
            raise ApiError(CONFLICT, f"{path} is another")
        del self.objects[path]

    async def watch(self, path: str, query: Mapping[str, str], *, silence_s: float) -> AsyncGenerator[bytes]:
        raise NotImplementedError(path, query, silence_s)
        yield b""

    async def _receive(self, request: Request) -> None:
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if request.path in self.held:
                await self.held[request.path].wait()
        finally:
            self.in_flight -= 1
        errors = self.errors.get((request.verb, kind_of(request.path)))
        error = errors.pop(0) if errors else None
        if error:
            raise error


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch applied (RFC 7386, section 2)."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
