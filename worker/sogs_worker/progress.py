"""Progress of a command on standard error: a bar for people, JSON lines (docs/job.md) for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TextIO

from sogs_worker.joblog import ETA_FROM_PERCENT, INTERVAL_S, SHARES, STARTS

Clock = Callable[[], float]


@dataclass(frozen=True)
class Status:
    """How far a command is.

    Attributes:
        stage: what is being done to the current scene; `done` at the end of all.
        fraction: of the bytes of all scenes, 0 to 1; never falls.
        eta_s: seconds left; None as long as nobody can tell.
        scenes_done, scenes_total: scenes, broken ones included.
    """

    stage: str
    fraction: float
    eta_s: int | None
    scenes_done: int
    scenes_total: int


class Display(Protocol):
    """Shows a status to somebody."""

    def show(self, status: Status) -> None:
        """Show it; called often."""
        ...

    def aside(self) -> AbstractContextManager[object]:
        """Make room for other output during a block."""
        ...


class Progress:
    """Adds the progress of scene after scene up."""

    def __init__(self, sizes_bytes: Sequence[int], display: Display, clock: Clock = time.monotonic) -> None:
        """Begin.

        Args:
            sizes_bytes: of each scene, in the order of the work.
            display: where it is shown.
            clock: seconds.
        """
        self._sizes_bytes = sizes_bytes
        self._total_bytes = max(sum(sizes_bytes), 1)
        self._display = display
        self._clock = clock
        self._started_s = clock()
        self._scenes_done = 0
        self._finished_bytes = 0
        self._fraction = 0.0

    def report(self, stage: str, fraction: float) -> None:
        """Note that `fraction` of a stage of the current scene is done."""
        part = (STARTS[stage] + SHARES[stage] * fraction) / 100
        self._show(stage, self._finished_bytes + part * self._sizes_bytes[self._scenes_done])

    def finish_scene(self) -> None:
        """Note that the current scene is finished or given up."""
        self._finished_bytes += self._sizes_bytes[self._scenes_done]
        self._scenes_done += 1
        if self._scenes_done == len(self._sizes_bytes):
            self._show("done", self._total_bytes)

    def aside(self) -> AbstractContextManager[object]:
        """Make room for other output during a block."""
        return self._display.aside()

    def _show(self, stage: str, done_bytes: float) -> None:
        self._fraction = max(self._fraction, min(done_bytes / self._total_bytes, 1.0))
        eta_s = None
        if 100 * self._fraction >= ETA_FROM_PERCENT:
            eta_s = round((self._clock() - self._started_s) * (1 - self._fraction) / self._fraction)
        self._display.show(Status(stage, self._fraction, eta_s, self._scenes_done, len(self._sizes_bytes)))


@contextmanager
def showing_progress(
    sizes_bytes: Sequence[int], *, as_json: bool, stream: TextIO | None = None, clock: Clock = time.monotonic
) -> Iterator[Progress]:
    """Yield the progress of scenes, and show it.

    Args:
        sizes_bytes: of each scene, in the order of the work.
        as_json: write JSON lines to a terminal too.
        stream: where to; None is standard error, so that standard output has results only.
        clock: seconds.
    """
    stream = stream or sys.stderr
    if as_json or not stream.isatty():
        yield Progress(sizes_bytes, Lines(stream, clock), clock)
        return
    from sogs_worker.bar import Bar  # loads rich, which only a terminal needs

    with Bar(stream) as bar:
        yield Progress(sizes_bytes, bar, clock)


class Lines:
    """JSON lines: the first status, the last one, and in between at most one a second."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._written_s = -INTERVAL_S

    def show(self, status: Status) -> None:
        """Write a line if it is time for one."""
        now_s = self._clock()
        if status.stage != "done" and now_s - self._written_s < INTERVAL_S:
            return
        self._written_s = now_s
        record = {
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "stage": status.stage,
            "percent": int(100 * status.fraction),
            "etaSeconds": status.eta_s,
            "scenesDone": status.scenes_done,
            "scenesTotal": status.scenes_total,
        }
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()

    def aside(self) -> AbstractContextManager[object]:
        """Lines make room by themselves."""
        return nullcontext()
