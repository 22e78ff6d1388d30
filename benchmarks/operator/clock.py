"""The one clock of all figures."""

from __future__ import annotations

import time


def now_s() -> float:
    """Return seconds since the machine's start, which is what the kernel counts a process's start time in."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
