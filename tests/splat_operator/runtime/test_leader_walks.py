"""Never two leaders: processes are stopped, cut off and killed at random, and ask wall clocks that say anything."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.aio.leaderelection import leaderelection as library

from leases import Candidate, Clock, nothing_stored

pytestmark = pytest.mark.asyncio


class Process:
    """A candidate on its own clock, which can be stopped and goes on when the walk says so."""

    def __init__(self, time: Clock, stored: dict[str, Any], source: random.Random, *, latency_s: float) -> None:
        self._time, self._source = time, source
        self._offset_s = source.uniform(0, 1e6)
        self.resumes_at_s = 0.0
        self.candidate = Candidate(stored, self.clock, self.sleep)
        self.candidate.leases.trouble = self.travel
        self.candidate.leases.after = self.travel_back
        self.is_cut_off = False
        self.latency_s = latency_s
        """Each way."""

    def clock(self) -> float:
        return self._time.now_s + self._offset_s

    async def sleep(self, seconds: float) -> None:
        await self._time.sleep(seconds)
        await self._while_stopped()

    async def travel(self, _verb: str) -> None:
        """On the way to the server nothing of the process is needed."""
        await self._time.sleep(self._source.uniform(0, self.latency_s))
        if self.is_cut_off:
            raise ConnectionError

    async def travel_back(self, _verb: str) -> None:
        await self.sleep(self._source.uniform(0, self.latency_s))
        if self.is_cut_off:
            raise ConnectionError

    async def _while_stopped(self) -> None:
        while self.resumes_at_s > self._time.now_s:
            await self._time.until(self.resumes_at_s)


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["stop", "cut off", "kill", "end", "wait"]), st.floats(0, 25)),
    max_size=15,
)


@given(steps=STEPS, seed=st.integers(0, 2**32))
@settings(max_examples=25)
async def test_never_two_may_write_and_in_the_end_one_does(steps: list[tuple[int, str, float]], seed: int) -> None:
    source = random.Random(seed)  # noqa: S311 - for tests
    before, library.time = library.time, SimpleNamespace(time=lambda: source.uniform(0, 2e9))
    try:
        walk = Walk(source)
        for place, what, seconds in steps:
            walk.disturb(place, what, seconds)
            await walk.go_on(seconds)
        await walk.calm_down()
    finally:
        library.time = before


class Walk:
    """Three processes, each replaced by a new one when it has ended, as a Deployment does."""

    def __init__(self, source: random.Random) -> None:
        self._source, self._clock, self._stored = source, Clock(), nothing_stored()
        self._latency_s = 2.0  # With this a leader loses the Lease now and then.
        self._processes = [self._start() for _ in range(3)]
        self._endings: list[asyncio.Task[None]] = []

    def _start(self) -> Process:
        return Process(self._clock, self._stored, self._source, latency_s=self._latency_s)

    def disturb(self, place: int, what: str, seconds: float) -> None:
        process = self._processes[place]
        if what == "stop":
            process.resumes_at_s = self._clock.now_s + seconds
        elif what == "cut off":
            process.is_cut_off = not process.is_cut_off
        elif what in ("kill", "end"):
            process.candidate.stop()
            self._processes[place] = self._start()
            if what == "end":
                self._endings.append(asyncio.create_task(process.candidate.leader.release()))

    async def go_on(self, seconds: float) -> None:
        await self._clock.advance(seconds, self._check)

    async def calm_down(self) -> None:
        """All is well from here on: one leads when a process that was stopped has gone on, lost, and been replaced."""
        self._latency_s = 0.1
        for process in self._processes:
            process.is_cut_off, process.latency_s = False, self._latency_s
        await self.go_on(60)
        assert self._leaders() == 1
        for process in self._processes:
            process.candidate.stop()
        await asyncio.gather(*self._endings)

    def _check(self) -> None:
        assert self._leaders() <= 1
        for place, process in enumerate(self._processes):
            if process.candidate.task.done():
                self._processes[place] = self._start()

    def _leaders(self) -> int:
        return sum(process.candidate.may_write for process in self._processes)
