"""Where progress is shown: a bar for people, JSON lines (docs/job.md) for programs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from sogs_worker.reporting.log import write_line
from sogs_worker.reporting.progress import Clock, Progress, Status

if TYPE_CHECKING:
    from sogs_worker.reporting.bar import Bar  # loads rich, which only a terminal needs

INTERVAL_S = 1.0
Later = Callable[[float, Callable[[], None]], None]


@contextmanager
def showing_progress(
    *, as_json: bool, is_quiet: bool = False, stream: TextIO | None = None, clock: Clock = time.monotonic
) -> Iterator[Progress]:
    """Yield a run's progress and show it; the run is done when the block ends without an error.

    Args:
        as_json: write JSON lines; otherwise there is a bar on a terminal, and nothing elsewhere.
        is_quiet: show nothing, to programs neither.
        stream: where to; None is standard error, so that standard output has results only.
        clock: seconds.
    """
    with open_display(stream or sys.stderr, as_json=as_json, is_quiet=is_quiet, clock=clock) as display:
        progress = Progress(display, clock)
        yield progress
        progress.finish()


def open_display(stream: TextIO, *, as_json: bool, is_quiet: bool, clock: Clock) -> Lines | Bar | Silence:
    """Choose the display that fits a stream."""
    if is_quiet:
        return Silence()
    if as_json:
        return Lines(stream, clock)
    if not stream.isatty():
        return Silence()
    from sogs_worker.reporting.bar import Bar

    return Bar(stream)


def start_timer(delay_s: float, action: Callable[[], None]) -> None:
    """Do something later, in another thread, unless the process ends before."""
    timer = threading.Timer(delay_s, action)
    timer.daemon = True
    timer.start()


class Silence:
    """Shows nothing."""

    def __enter__(self) -> Silence:
        """Nothing is to be prepared."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be cleared away."""

    def show(self, status: Status) -> None:
        """Keep quiet."""

    def aside(self) -> AbstractContextManager[object]:
        """There is room."""
        return nullcontext()


class Lines:
    """JSON lines: the first status and the last at once, in between the latest, at most one a second.

    A status that comes too early waits for its second, in which a later one may take its place. Use it in a `with`
    block: nothing is written after that.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, later: Later = start_timer) -> None:
        """Get ready.

        Args:
            stream: where to.
            clock: seconds.
            later: calls back after so many seconds.
        """
        self._stream = stream
        self._clock = clock
        self._later = later
        self._due_s = clock()
        self._waiting: Status | None = None
        self._has_timer = False
        self._lock = threading.Lock()

    def __enter__(self) -> Lines:
        """Nothing is to be prepared."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget what still waits."""
        with self._lock:
            self._waiting = None

    def show(self, status: Status) -> None:
        """Write a line now or in its second."""
        with self._lock:
            self._waiting = status
            self._write_if_due()

    def aside(self) -> AbstractContextManager[object]:
        """Lines make room by themselves."""
        return nullcontext()

    def _wake(self) -> None:
        with self._lock:
            self._has_timer = False
            self._write_if_due()

    def _write_if_due(self) -> None:
        status, now_s = self._waiting, self._clock()
        if status is None:
            return
        if now_s >= self._due_s or status.stage == "done":
            self._waiting, self._due_s = None, now_s + INTERVAL_S
            write_line(build_record(status), self._stream)
        elif not self._has_timer:
            self._has_timer = True
            self._later(self._due_s - now_s, self._wake)


def build_record(status: Status) -> dict[str, object]:
    """Name a status's fields as programs know them."""
    return {
        "stage": status.stage,
        "percent": int(100 * status.fraction),
        "etaSeconds": status.eta_s,
        "scenesDone": status.scenes_done,
        "scenesTotal": status.scenes_total,
    }
