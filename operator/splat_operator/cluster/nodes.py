"""Which extended resources do nodes have? Asked only where a pod finds no room, once a minute for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from splat_operator.cluster import paths
from splat_operator.cluster.connection import FORBIDDEN, ApiError, Connection

MEMORY_S = 60.0
PAGE = "100"
"""Nodes are large objects: 100 of them are some megabytes, of which only the names of their resources are kept."""


class Nodes:
    """Answers from one look a minute at the nodes of a cluster, whatever names are asked for."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._looked_at = -MEMORY_S
        self._names: frozenset[str] | None = None
        self._turn = asyncio.Lock()

    async def have(self, resource: str) -> bool | None:
        """Whether any node has that resource; None where nodes may not be looked at. Raises ApiError.

        Whoever asks while a look is under way waits for it.
        """
        async with self._turn:
            if self._clock() - self._looked_at >= MEMORY_S:
                self._names = await self._look()
                self._looked_at = self._clock()
        return None if self._names is None else resource in self._names

    async def _look(self) -> frozenset[str] | None:
        names: set[str] = set()
        query = {"limit": PAGE}
        try:
            while True:
                page = await self._connection.get(paths.NODES, query)
                for node in page["items"]:
                    capacity = node.get("status", {}).get("capacity", {})
                    names |= {name for name, amount in capacity.items() if amount != "0"}
                if not page["metadata"].get("continue"):
                    return frozenset(names)
                query = {"limit": PAGE, "continue": page["metadata"]["continue"]}
        except ApiError as error:
            if error.code != FORBIDDEN:
                raise
            return None
