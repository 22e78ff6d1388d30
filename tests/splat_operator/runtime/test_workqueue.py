"""The queue's promises: no key twice, one pass per key at a time, delays and backoff by key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from splat_operator.runtime import workqueue
from splat_operator.runtime.workqueue import WorkQueue

pytestmark = pytest.mark.asyncio

Process = Callable[[str], Awaitable[float | None]]


class Recorder:
    """Passes that are held until the test lets them go on."""

    def __init__(self) -> None:
        self.started: asyncio.Queue[str] = asyncio.Queue()
        self.results: dict[str, list[float | Exception | None]] = {}
        self._gate = asyncio.Semaphore(0)

    async def process(self, key: str) -> float | None:
        self.started.put_nowait(key)
        await self._gate.acquire()
        results = self.results.get(key)
        result = results.pop(0) if results else None
        if isinstance(result, Exception):
            raise result
        return result

    def let_go(self, count: int = 1) -> None:
        for _ in range(count):
            self._gate.release()

    async def idle(self) -> None:
        """Let everything that is ready run, so that what was not started by now will not be."""
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def working(queue: WorkQueue[str], process: Process, workers: int = 1) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(process, workers=workers, expected=(ConnectionError,)))
    try:
        async with asyncio.timeout(5):  # A pass that never comes fails the test instead of holding it up.
            yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_key_added_twice_gets_one_pass() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    queue.add("a")
    queue.add("a")
    async with working(queue, passes.process):
        assert await passes.started.get() == "a"
        passes.let_go(9)
        await passes.idle()
        assert passes.started.empty()


async def test_key_added_during_its_pass_gets_one_more() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    queue.add("a")
    async with working(queue, passes.process, workers=2):
        await passes.started.get()
        queue.add("a")
        queue.add("a")
        await passes.idle()
        assert passes.started.empty(), "two passes for one key at a time"
        passes.let_go(9)
        assert await passes.started.get() == "a"
        await passes.idle()
        assert passes.started.empty()


async def test_workers_bound_the_passes_at_one_time() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    for key in "abc":
        queue.add(key)
    async with working(queue, passes.process, workers=2):
        await passes.idle()
        assert passes.started.qsize() == 2
        passes.let_go()
        await passes.idle()
        assert passes.started.qsize() == 3


async def test_order_is_first_in_first_out() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    for key in "cab":
        queue.add(key)
    passes.let_go(3)
    async with working(queue, passes.process):
        assert [await passes.started.get() for _ in range(3)] == ["c", "a", "b"]


async def test_result_is_the_delay_to_the_next_pass() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    passes.results["a"] = [0.0, None]
    queue.add("a")
    passes.let_go(9)
    async with working(queue, passes.process):
        assert [await passes.started.get() for _ in range(2)] == ["a", "a"]
        await passes.idle()
        assert passes.started.empty()


async def test_earliest_delay_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = WorkQueue[str]()
    loop = asyncio.get_running_loop()
    due: list[float] = []
    call_at = loop.call_at

    def recorded(when: float, *arguments: object, **named: object) -> asyncio.TimerHandle:
        due.append(when - loop.time())
        return call_at(when, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", recorded)
    queue.add_after("a", 1000)
    queue.add_after("a", 2000)
    queue.add_after("a", 500)
    assert due == [pytest.approx(1000, abs=1), pytest.approx(500, abs=1)]


async def test_add_replaces_a_delay() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    queue.add_after("a", 1000)
    queue.add("a")
    passes.let_go(9)
    async with working(queue, passes.process):
        assert await passes.started.get() == "a"
        await passes.idle()
        assert not queue._timers


async def test_failed_pass_is_repeated_with_doubling_delays(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workqueue, "BASE_DELAY_S", 0.001)
    queue, passes = WorkQueue[str](), Recorder()
    passes.results["a"] = [ConnectionError("The API server is away.")] * 3
    queue.add("a")
    passes.let_go(9)
    async with working(queue, passes.process):
        for _ in range(4):
            assert await passes.started.get() == "a"
    told = [record.getMessage() for record in caplog.records]
    assert [message.split(" s:")[0].split()[-1] for message in told] == ["0.001", "0.002", "0.004"]
    assert all("The API server is away." in message for message in told)


async def test_success_resets_the_backoff(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(workqueue, "BASE_DELAY_S", 0.001)
    queue, passes = WorkQueue[str](), Recorder()
    passes.results["a"] = [ConnectionError(), 0.0, ConnectionError(), None]
    queue.add("a")
    passes.let_go(9)
    async with working(queue, passes.process):
        for _ in range(4):
            await passes.started.get()
    assert ["0.001" in record.getMessage() for record in caplog.records] == [True, True]


async def test_backoff_is_bounded() -> None:
    queue = WorkQueue[str]()
    delays = [queue._back_off("a", ConnectionError(), is_expected=True) for _ in range(100)]
    assert delays[-1] == workqueue.MAX_DELAY_S


async def test_failing_key_does_not_hold_up_others() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    passes.results["a"] = [ConnectionError()] * 9
    queue.add("a")
    queue.add("b")
    passes.let_go(9)
    async with working(queue, passes.process):
        assert [await passes.started.get() for _ in range(2)] == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "level", "has_trace"),
    [(ConnectionError("away"), logging.WARNING, False), (KeyError("bug"), logging.ERROR, True)],
    ids=["expected", "bug"],
)
async def test_only_bugs_leave_a_traceback(
    error: Exception, level: int, has_trace: bool, caplog: pytest.LogCaptureFixture
) -> None:
    queue, passes = WorkQueue[str](), Recorder()
    passes.results["a"] = [error]
    queue.add("a")
    passes.let_go()
    async with working(queue, passes.process):
        await passes.started.get()
        await passes.idle()
    (record,) = caplog.records
    assert (record.levelno, bool(record.exc_info)) == (level, has_trace)


async def test_add_during_a_failing_pass_is_not_lost() -> None:
    queue, passes = WorkQueue[str](), Recorder()
    passes.results["a"] = [ConnectionError()]
    queue.add("a")
    async with working(queue, passes.process):
        await passes.started.get()
        queue.add("a")
        passes.let_go(9)
        assert await passes.started.get() == "a"


async def test_the_backlog_is_what_waits_and_for_how_long() -> None:
    now, recorder = [100.0], Recorder()
    queue: WorkQueue[str] = WorkQueue(lambda: now[0])
    assert queue.backlog() == (0, 0.0)
    for key in ("a", "b", "a"):
        queue.add(key)
        now[0] += 2
    assert queue.backlog() == (2, 6.0)
    async with working(queue, recorder.process):
        assert await recorder.started.get() == "a"
        assert queue.backlog() == (1, 4.0), "one whose pass runs waits no more"
        queue.add("a")
        assert queue.backlog() == (1, 4.0), "its next one begins to wait when that has ended"
        recorder.let_go(3)
        await recorder.idle()
        assert queue.backlog() == (0, 0.0)
