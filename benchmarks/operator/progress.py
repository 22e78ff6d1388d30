"""Lines for somebody who waits, on standard error."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.operator.clock import now_s

SAYS_EVERY_S = 15
_STARTED_S = now_s()


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{now_s() - _STARTED_S:5.0f} s] {text}", file=sys.stderr, flush=True)


@asynccontextmanager
async def saying(describe: Callable[[], str]) -> AsyncIterator[None]:
    """Say from time to time how it stands while the block runs."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(SAYS_EVERY_S)
            say(describe())

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
