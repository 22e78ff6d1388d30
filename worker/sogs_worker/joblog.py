"""The Job's log: JSON lines of progress (docs/job.md), at most one a second, and messages."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

SHARES = {"read": 10, "encode": 75, "verify": 5, "write": 10, "done": 0}
"""Stages in order and the percent of a run that each takes, roughly: most of it is the encoder's."""

STARTS = {stage: sum(list(SHARES.values())[:index]) for index, stage in enumerate(SHARES)}
INTERVAL_S = 1.0
ETA_FROM_PERCENT = 5
"""Below this, the time left is a guess that only misleads."""


def write_line(record: dict[str, Any], stream: TextIO | None = None) -> None:
    """Write one line; flushed, since a log is read while the run goes on."""
    stream = stream or sys.stdout
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stream.write(json.dumps({"time": stamp, **record}, ensure_ascii=False) + "\n")
    stream.flush()


def write_message(message: str) -> None:
    """Tell people something that is not progress."""
    write_line({"message": message})


class ProgressLog:
    """Turns the progress of scenes' stages into lines of the whole run. May be called from several threads."""

    def __init__(
        self, write: Callable[[dict[str, Any]], None] = write_line, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start.

        Args:
            write: takes a line's fields.
            clock: seconds.
        """
        self._write = write
        self._clock = clock
        self._started_s = clock()
        self._written_s = self._started_s
        self._stage = ""
        self._percent = 0
        self._window = (0.0, 1.0)
        self._scenes = (0, 1)
        self._lock = threading.Lock()

    def enter(self, begin: float, end: float, *, done: int, total: int) -> None:
        """Begin a scene, which takes the run from the fraction `begin` to `end`, after `done` of `total` scenes."""
        with self._lock:
            self._window, self._scenes = (begin, end), (done, total)

    def report(self, stage: str, fraction: float) -> None:
        """Note that `fraction` of `stage` is done. Percent are of the whole run and never fall."""
        with self._lock:
            begin, end = self._window
            percent = STARTS[stage] + SHARES[stage] * min(max(fraction, 0.0), 1.0)
            self._percent = max(self._percent, int(100 * begin + (end - begin) * percent))
            now_s = self._clock()
            if stage != self._stage or now_s - self._written_s >= INTERVAL_S:
                self._stage, self._written_s = stage, now_s
                self._write(self._line(now_s))

    def part(self, stage: str, begin: float, end: float) -> Callable[[float], None]:
        """Give a callback for a step that takes `stage` from the fraction `begin` to `end`."""
        return lambda fraction: self.report(stage, begin + (end - begin) * fraction)

    def _line(self, now_s: float) -> dict[str, Any]:
        done, total = self._scenes
        return {
            "stage": self._stage,
            "percent": self._percent,
            "etaSeconds": self._eta_s(now_s),
            "scenesDone": total if self._stage == "done" else done,
            "scenesTotal": total,
        }

    def _eta_s(self, now_s: float) -> int | None:
        if self._percent < ETA_FROM_PERCENT:
            return None
        return round((now_s - self._started_s) * (100 - self._percent) / self._percent)


def counting(total_bytes: int, report: Callable[[float], None]) -> Callable[[int], None]:
    """Turn bytes moved, told from several threads, into the fraction of `total_bytes`."""
    lock = threading.Lock()
    moved_bytes = 0

    def count(more_bytes: int) -> None:
        nonlocal moved_bytes
        with lock:
            moved_bytes += more_bytes
            report(moved_bytes / max(total_bytes, 1))

    return count
