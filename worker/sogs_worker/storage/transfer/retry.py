"""Repeating what failed for the moment: pauses with full jitter, within one budget of time per operation.

Exponential backoff with full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeVar

from sogs_worker.storage.connection import Patience

T = TypeVar("T")


class Verdict(Enum):
    """What a failure says about the next try."""

    PERMANENT = auto()
    """It would fail the same way."""
    TRANSIENT = auto()
    """The server is there, and may do it later."""
    UNREACHED = auto()
    """No answer: the server is away for a while, or its address is wrong."""


class Clock(Protocol):
    """Time, as the module `time` has it."""

    def monotonic(self) -> float:
        """Say what time it is, in seconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


@dataclass
class Contact:
    """Whether a server has ever answered; shared by all operations of a store."""

    made: bool = False


class Budget:
    """The time that one operation has, from its start and anew from each request that succeeds.

    So a long transfer goes on while its parts get through, and a server that is away costs a known time. Requests may
    run in several threads.
    """

    def __init__(
        self,
        patience: Patience,
        contact: Contact,
        judge: Callable[[Exception], Verdict],
        clock: Clock = time,
        *,
        asked_pause: Callable[[Exception], float] = lambda _failure: 0.0,
    ) -> None:
        """Begin now.

        Args:
            patience: the limits.
            contact: of the server.
            judge: tells what a failure means.
            clock: for tests.
            asked_pause: tells how many seconds the server asks to be left alone; never more than the longest pause.
        """
        self._patience = patience
        self._contact = contact
        self._judge = judge
        self._clock = clock
        self._asked_pause = asked_pause
        self._since_s = clock.monotonic()

    def run(self, request: Callable[[], T]) -> T:
        """Repeat `request` until it succeeds or fails for good, or the next pause would outlast the budget."""
        failures = 0
        while True:
            try:
                result = request()
            except Exception as error:
                if not self._pause(error, failures):
                    raise
                failures += 1
            else:
                self.renew()
                return result

    def renew(self) -> None:
        """Take what has come so far for a success: a long answer may break off after more than the whole budget."""
        self._contact.made = True
        self._since_s = self._clock.monotonic()

    def _pause(self, error: Exception, failures: int) -> bool:
        """Wait, or say that another try is in vain or too late."""
        verdict = self._judge(error)
        self._contact.made |= verdict is Verdict.TRANSIENT
        patience = self._patience
        limit_s = patience.budget_s if self._contact.made else patience.contact_s
        longest_s = min(patience.longest_pause_s, patience.first_pause_s * 2.0**failures)
        pause_s = random.uniform(0.0, longest_s)  # noqa: S311  (no secret depends on it)
        pause_s = max(pause_s, min(patience.longest_pause_s, self._asked_pause(error)))
        if verdict is Verdict.PERMANENT or self._clock.monotonic() + pause_s >= self._since_s + limit_s:
            return False
        self._clock.sleep(pause_s)
        return True
