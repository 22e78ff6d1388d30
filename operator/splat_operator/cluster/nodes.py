"""Has any node a GPU? Asked only where a pod finds no room, and remembered for a while."""

from __future__ import annotations

import time

from splat_operator.cluster import paths
from splat_operator.cluster.connection import FORBIDDEN, ApiError, Connection

MEMORY_S = 60.0
PAGE = "200"


class Nodes:
    """Answers from the nodes of one cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answers: dict[str, tuple[float, bool | None]] = {}

    async def have(self, resource: str) -> bool | None:
        """Whether any node has that extended resource; None where nodes may not be looked at. Raises ApiError."""
        asked_at, answer = self._answers.get(resource, (-MEMORY_S, None))
        if time.monotonic() - asked_at >= MEMORY_S:
            answer = await self._ask(resource)
            self._answers[resource] = (time.monotonic(), answer)
        return answer

    async def _ask(self, resource: str) -> bool | None:
        query = {"limit": PAGE}
        try:
            while True:
                page = await self._connection.get(paths.NODES, query)
                capacities = (node.get("status", {}).get("capacity", {}) for node in page["items"])
                if any(capacity.get(resource, "0") != "0" for capacity in capacities):
                    return True
                if not page["metadata"].get("continue"):
                    return False
                query = {"limit": PAGE, "continue": page["metadata"]["continue"]}
        except ApiError as error:
            if error.code != FORBIDDEN:
                raise
            return None
