"""Progress from the logs of running pods, read beside the passes at a bounded rate: no pass waits for a kubelet."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from splat_operator.api.model import Key, Pod, Progress
from splat_operator.api.names import CONTAINER
from splat_operator.cluster import paths
from splat_operator.cluster.connection import INTERNAL_ERROR, NO_ANSWER, ApiError, Connection
from splat_operator.decide.report import merge_progress, parse_progress
from splat_operator.decide.verdict import results
from splat_operator.runtime.metrics import LOG_READS_FAILED

QUERY = {"container": CONTAINER, "tailLines": "5", "limitBytes": "16384"}
"""The worker prints at most one progress line a second; a few lines back there is one."""
TIMEOUT_S = 2.0
"""For a kubelet's answer: one that is dead gives none."""
COST_OF_CHANGE = 2
"""Requests that a read costs which finds something new: itself, and the status that it leads to."""


class LogReader:
    """Reads each running pod's log in turn.

    Args:
        connection: to the API server.
        wake: asks for a pass for a resource whose progress is another.
        interval_s: the least time between two reads of one pod's log.
        reads_per_s: requests a second for all of them, statuses that follow included.
        sleep: waits for that many seconds.
    """

    def __init__(
        self,
        connection: Connection,
        wake: Callable[[Key], None],
        *,
        interval_s: float,
        reads_per_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._wake = wake
        self._interval_s = interval_s
        self._reads_per_s = reads_per_s
        self._sleep = sleep
        self._turns: OrderedDict[tuple[Key, str], None] = OrderedDict()
        """Pods in the order of their next reads; each is there once."""
        self._readings: dict[Key, dict[str, Progress | None]] = {}
        """The last progress of each pod that is followed, by name."""
        self._has_pods = asyncio.Event()
        self._debt = 0
        """Requests that reads have caused and that no pause has been made for."""

    def follow(self, key: Key, pods: Iterable[str]) -> None:
        """Read the logs of these pods of a resource from now on, and of no others of it."""
        before, names = self._readings.get(key, {}), list(pods)
        if not names:
            self._readings.pop(key, None)
            return
        self._readings[key] = {name: before.get(name) for name in names}
        for name in names:
            self._turns.setdefault((key, name))
        self._has_pods.set()

    def progress(self, key: Key, pods: Sequence[Pod], *, shares: int) -> Progress | None:
        """How far the run of these pods is, as far as their logs could be read."""
        readings = [reading for reading in self._readings.get(key, {}).values() if reading]
        return merge_progress(readings, results(pods), shares=shares)

    async def run(self) -> None:
        """Read one log after the other, until cancelled."""
        async with asyncio.TaskGroup() as reads:
            while True:
                if not self._turns:
                    self._has_pods.clear()
                    await self._has_pods.wait()
                (key, pod), _ = self._turns.popitem(last=False)
                if pod in self._readings.get(key, {}):
                    self._turns[key, pod] = None
                    reads.create_task(self._read(key, pod))
                    await self._sleep(self._pause_s())

    def _pause_s(self) -> float:
        """All pods are read once in `interval_s`, or as often as the rate lets them."""
        cost, self._debt = 1 + self._debt, 0
        return max(self._interval_s / max(1, len(self._turns)), cost / self._reads_per_s)

    async def _read(self, key: Key, pod: str) -> None:
        path = f"{paths.pods(key.namespace)}/{pod}/log"
        try:
            found = parse_progress(await self._connection.get_text(path, QUERY, timeout_s=TIMEOUT_S))
        except ApiError as error:
            if error.code == NO_ANSWER or error.code >= INTERNAL_ERROR:  # Else the pod has ended meanwhile.
                LOG_READS_FAILED.inc()
            return
        readings = self._readings.get(key, {})
        if found and pod in readings and found != readings[pod]:
            readings[pod] = found
            self._debt += COST_OF_CHANGE - 1
            self._wake(key)
