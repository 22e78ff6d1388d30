"""Is the operator alive? Seconds that the event loop is late, and since the last watch event; /healthz shows both."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import kopf

from splat_operator import metrics

MAX_LAG_S = 20.0
"""A loop this late serves nobody: the probe fails and the pod is started anew."""

_INTERVAL_S = 1.0


class Pulse:
    """Measures how late the event loop is and remembers when a watch event came in."""

    def __init__(self) -> None:
        self.lag_s = 0.0
        self._last_event: float | None = None

    def event_seen(self) -> None:
        """A watch event has come in."""
        self._last_event = time.monotonic()
        metrics.LAST_EVENT.set_to_current_time()

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


def register(pulse: Pulse) -> None:
    """Add both numbers to what kopf's liveness endpoint tells."""

    @kopf.on.probe(id="loopLagSeconds")
    async def loop_lag(**_: Any) -> float:
        if pulse.lag_s > MAX_LAG_S:
            raise kopf.PermanentError(f"The event loop is {pulse.lag_s:.1f} s late.")
        return round(pulse.lag_s, 3)

    @kopf.on.probe(id="lastEventAgeSeconds")
    async def last_event_age(**_: Any) -> float | None:
        return None if pulse.event_age_s is None else round(pulse.event_age_s, 1)
