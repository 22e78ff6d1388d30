"""How far a run is, over all its scenes by their bytes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

SHARES = {"read": 10, "encode": 75, "verify": 5, "write": 10, "done": 0}
"""Stages in order and the percent of a scene that each takes, roughly: most of it is the encoder's."""

STARTS = {stage: sum(list(SHARES.values())[:index]) for index, stage in enumerate(SHARES)}
READ = SHARES["read"] / 100
ETA_FROM = 0.05
"""Part of what is left when the first encoding begins: below this, the time left is a guess that only misleads."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes:
        stage: what is being done to the current scene; `done` at the end of all.
        fraction: of the bytes of all scenes, 0 to 1; never falls.
        eta_s: seconds left; None as long as nobody can tell.
        scenes_done: scenes that are behind the run, broken ones included.
        scenes_total: scenes, as far as is known; grows when an archive turns out to have more than one.
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
    """Adds the progress of scene after scene up. May be called from several threads."""

    def __init__(self, display: Display, clock: Clock = time.monotonic) -> None:
        """Begin; the run is one scene until it is split.

        Args:
            display: where it is shown.
            clock: seconds.
        """
        self._display = display
        self._clock = clock
        self._encoding: tuple[float, float] | None = None
        self._shares = [1.0]
        self._scenes_done = 0
        self._is_done = False
        self._finished = 0.0
        self._fraction = 0.0
        self._worked = 0.0
        self._lock = threading.Lock()

    def split(self, sizes_bytes: Sequence[int]) -> None:
        """Learn that the current scene is several, or none: the objects of a source, the scenes of an archive.

        What was done of it stays done; the rest is divided by the sizes, of which none counts as less than a byte.
        """
        weights = [max(size_bytes, 1) for size_bytes in sizes_bytes]
        with self._lock:
            place = self._scenes_done
            rest = self._finished + self._shares[place] - self._fraction
            self._shares[place : place + 1] = [rest * weight / sum(weights) for weight in weights]
            self._finished = self._fraction

    def report(self, stage: str, fraction: float) -> None:
        """Note that `fraction` of a stage of the current scene is done."""
        part = (STARTS[stage] + SHARES[stage] * min(max(fraction, 0.0), 1.0)) / 100
        with self._lock:
            is_over = self._scenes_done == len(self._shares)
            share = 0.0 if is_over else self._shares[self._scenes_done]
            self._worked = max(self._worked, self._finished + share * max(part - READ, 0.0) / (1 - READ))
            if stage == "encode" and self._encoding is None:
                self._encoding = self._clock(), self._worked
            self._show(stage, self._finished + share * part)

    def part(self, stage: str, begin: float, end: float) -> Callable[[float], None]:
        """Give a callback for a step that takes `stage` from the fraction `begin` to `end`."""
        return lambda fraction: self.report(stage, begin + (end - begin) * fraction)

    def finish_scene(self) -> None:
        """Note that the current scene is finished or given up, and go on to the next."""
        with self._lock:
            self._finished += self._shares[self._scenes_done]
            self._worked = max(self._worked, self._finished)
            self._scenes_done += 1
            if self._scenes_done < len(self._shares):
                self._show("read", self._finished)

    def finish(self) -> None:
        """Note that everything is done; once."""
        with self._lock:
            if not self._is_done:
                self._is_done, self._scenes_done = True, len(self._shares)
                self._show("done", 1.0)

    def give_up(self) -> None:
        """Note that nothing of it is done, nor will be."""
        with self._lock:
            self._is_done = True

    def aside(self) -> AbstractContextManager[object]:
        """Make room for other output during a block."""
        return self._display.aside()

    def _show(self, stage: str, reached: float) -> None:
        self._fraction = max(self._fraction, min(reached, 1.0))
        self._display.show(Status(stage, self._fraction, self._eta_s(), self._scenes_done, len(self._shares)))

    def _eta_s(self) -> int | None:
        """Estimate the seconds left by the pace since the first encoding began, reading left aside.

        What was before tells nothing: a scene from the next disk comes at once, torch takes seconds to load, outputs
        that are there already take no time. Later scenes are read beside the encoding of those before.
        """
        if self._fraction == 1:
            return 0
        if self._encoding is None:
            return None
        began_s, before = self._encoding
        done, left = self._worked - before, 1 - self._worked
        if done < ETA_FROM * (1 - before):
            return None
        return round((self._clock() - began_s) * left / done)


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
