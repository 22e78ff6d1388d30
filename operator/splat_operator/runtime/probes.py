"""Is the operator alive? What /healthz tells and, where a probe fails, answers 500 for; the reason is in the log.

kopf asks every probe anew, but no more often than every 10 s while all succeed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import kopf

from splat_operator.cluster.delivered import Delivered
from splat_operator.runtime import metrics

MAX_LAG_S = 20.0
"""A loop this late serves nobody: the probe fails and the pod is started anew."""

_INTERVAL_S = 1.0


class Pulse:
    """Measures how late the event loop is and remembers when a watch event came in."""

    def __init__(self) -> None:
        self.lag_s = 0.0
        self._last_event: float | None = None

    def event_seen(self, kind: str) -> None:
        """A watch event has come in; `kind` is the plural's name."""
        self._last_event = time.monotonic()
        metrics.LAST_EVENT.labels(kind).set_to_current_time()

    @property
    def event_age_s(self) -> float | None:
        """Seconds since the last watch event; None before the first. An idle cluster has none, so any age is sound."""
        return None if self._last_event is None else time.monotonic() - self._last_event

    async def beat(self) -> None:
        """Measure the loop's lag for ever."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_INTERVAL_S)
            self.lag_s = time.monotonic() - before - _INTERVAL_S


def register(pulse: Pulse, tasks: Mapping[str, asyncio.Task[None]], delivered: Delivered) -> None:
    """Add to kopf's liveness endpoint what must hold: the loop is in time, `tasks` run, watches deliver.

    Each failure is a PermanentError: after any other exception kopf would try again while the request waits.
    """

    @kopf.on.probe(id="loopLagSeconds")
    async def loop_lag(**_: Any) -> float:
        if pulse.lag_s > MAX_LAG_S:
            raise kopf.PermanentError(f"The event loop is {pulse.lag_s:.1f} s late.")
        return round(pulse.lag_s, 3)

    @kopf.on.probe(id="lastEventAgeSeconds")
    async def last_event_age(**_: Any) -> float | None:
        return None if pulse.event_age_s is None else round(pulse.event_age_s, 1)

    @kopf.on.probe(id="tasks")
    async def running_tasks(**_: Any) -> list[str]:
        ended = [f"{name} ({_end(task)})" for name, task in tasks.items() if task.done()]
        if ended:
            raise kopf.PermanentError(f"What should run for ever has ended: {', '.join(ended)}.")
        return list(tasks)

    @kopf.on.probe(id="stalledWatches")
    async def stalled_watches(**_: Any) -> list[str]:
        if delivered.stalled_kinds:
            raise kopf.PermanentError(
                f"No events come any more from the watch of {', '.join(delivered.stalled_kinds)}."
            )
        return []


def _end(task: asyncio.Task[None]) -> str:
    return "cancelled" if task.cancelled() else repr(task.exception())
