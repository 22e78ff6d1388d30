"""A queue of keys after controller-runtime's: no key twice, one pass per key at a time, delays and backoff by key."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BASE_DELAY_S = 0.5
MAX_DELAY_S = 300.0

Process = Callable[[K], Awaitable[float | None]]

logger = logging.getLogger(__name__)


class WorkQueue(Generic[K]):
    """Add keys from anywhere in the event loop; `run` passes each to a function until it is cancelled.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: deque[K] = deque()
        self._waiting: dict[K, float] = {}
        """Keys in `_ready`, and since when."""
        self._running: set[K] = set()
        self._dirty: set[K] = set()
        """Keys added while their pass ran: it may have looked too early, so they get another."""
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._wakeup = asyncio.Semaphore(0)

    def backlog(self) -> tuple[int, float]:
        """How many keys wait for a pass, and for how many seconds the first of them. Called from another thread."""
        since = list(self._waiting.copy().values())
        return len(since), self._clock() - since[0] if since else 0.0

    def add(self, key: K) -> None:
        """Ask for a pass as soon as possible; a delayed one is not needed then."""
        self._cancel_timer(key)
        if key in self._running:
            self._dirty.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._clock()
            self._ready.append(key)
            self._wakeup.release()

    def add_after(self, key: K, delay_s: float) -> None:
        """Ask for a pass after a delay; of several such wishes the earliest counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + delay_s
        timer = self._timers.get(key)
        if timer is None or due < timer.when():
            self._cancel_timer(key)
            self._timers[key] = loop.call_at(due, self.add, key)

    async def run(self, process: Process[K], *, workers: int, expected: tuple[type[Exception], ...] = ()) -> None:
        """Pass keys to `process`, `workers` at a time, until cancelled.

        Its result is the delay in seconds to the key's next pass, or None for none. An exception is logged, with a
        traceback unless `expected`, and the pass repeated after a delay that doubles with each failure in a row.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(process, expected))

    async def _work(self, process: Process[K], expected: tuple[type[Exception], ...]) -> None:
        while True:
            await self._wakeup.acquire()
            key = self._ready.popleft()
            self._waiting.pop(key, None)
            self._running.add(key)
            try:
                delay_s = await process(key)
                self._failures.pop(key, None)
            except Exception as error:  # Whatever it is, other keys must go on.
                delay_s = self._back_off(key, error, is_expected=isinstance(error, expected))
            finally:
                self._running.discard(key)
            self._finish(key, delay_s)

    def _finish(self, key: K, delay_s: float | None) -> None:
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)
        elif delay_s is not None:
            self.add_after(key, delay_s)

    def _back_off(self, key: K, error: Exception, *, is_expected: bool) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = float(min(MAX_DELAY_S, BASE_DELAY_S * 2 ** min(failures, 20)))
        level, trace = (logging.WARNING, None) if is_expected else (logging.ERROR, error)
        logger.log(level, "The pass for %s failed; the next in %g s: %s", key, delay_s, error, exc_info=trace)
        return delay_s

    def _cancel_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()
