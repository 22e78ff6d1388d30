"""Progress is read from running pods' logs in turn, at a bounded rate, and nobody waits for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from prometheus_client import REGISTRY

from compressions import KEY, RESULT, running_pod, succeeded_pod
from fake_connection import FakeConnection
from splat_operator.api.model import Key, Progress
from splat_operator.cluster.connection import ApiError
from splat_operator.runtime.log_reader import TIMEOUT_S, LogReader

pytestmark = pytest.mark.asyncio

OTHER = Key("default", "house")


def line(percent: int, **changes: Any) -> str:
    return json.dumps({"stage": "encode", "percent": percent, "scenesDone": 0, "scenesTotal": 1, **changes})


def log_of(pod: str) -> str:
    return f"/api/v1/namespaces/default/pods/{pod}/log"


class World:
    """A reader whose clock goes on only while it sleeps, which is when reads are answered."""

    def __init__(self, *, interval_s: float = 5.0, reads_per_s: float = 40.0) -> None:
        self.api, self.woken = FakeConnection(), list[Key]()
        self.now_s = 0.0
        self.reads: list[tuple[float, str]] = []
        self.until_s = 0.0
        self.meanwhile: Callable[[], None] = lambda: None
        self.reader = LogReader(
            self.api, self.woken.append, interval_s=interval_s, reads_per_s=reads_per_s, sleep=self.sleep
        )

    async def sleep(self, seconds: float) -> None:
        for _ in range(3):  # The read that was begun is answered.
            await asyncio.sleep(0)
        self.now_s += seconds
        self.meanwhile()
        if self.now_s > self.until_s:
            await asyncio.Event().wait()

    @asynccontextmanager
    async def running(self, for_s: float) -> AsyncIterator[None]:
        self.until_s = for_s
        task = asyncio.create_task(self.reader.run())
        while self.now_s <= self.until_s and not task.done():
            before = self.now_s
            for _ in range(20):
                await asyncio.sleep(0)
            if self.now_s == before:
                break
        assert not task.done()
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def read(self) -> list[str]:
        """The pods whose logs were asked for."""
        return [request.path.split("/")[-2] for request in self.api.sent("logs")]


async def test_the_last_lines_are_asked_for_with_little_patience() -> None:
    world = World()
    world.api.logs[log_of("a")] = line(40)
    world.reader.follow(KEY, ["a"])
    async with world.running(1):
        (request,) = world.api.sent("logs")
    options = {"container": "worker", "tailLines": "5", "limitBytes": "16384", "timeout_s": TIMEOUT_S}
    assert (request.path, request.options, TIMEOUT_S) == (log_of("a"), options, 2.0)


async def test_progress_is_known_and_told_when_it_changes() -> None:
    world = World()
    world.api.logs[log_of("a")] = line(40, etaSeconds=7)
    world.reader.follow(KEY, ["a"])
    assert world.reader.progress(KEY, [running_pod(name="a")], shares=1) is None
    async with world.running(12):
        assert world.read() == ["a"] * 3
        assert world.woken == [KEY], "once, as it stays the same"
    expected = Progress(percent=40, stage="encode", eta_s=7, scenes_done=0, scenes_total=1)
    assert world.reader.progress(KEY, [running_pod(name="a")], shares=1) == expected
    assert world.reader.progress(OTHER, [], shares=1) is None


async def test_a_log_that_says_nothing_keeps_what_was_known() -> None:
    world = World()
    world.api.logs[log_of("a")] = line(40)
    world.reader.follow(KEY, ["a"])
    world.meanwhile = lambda: world.api.logs.update({log_of("a"): "a traceback"})
    async with world.running(12):
        assert world.woken == [KEY]
    found = world.reader.progress(KEY, [], shares=1)
    assert found is not None
    assert found.percent == 40


async def test_pods_take_turns() -> None:
    world = World()
    world.reader.follow(KEY, ["a", "b"])
    world.reader.follow(OTHER, ["c"])
    async with world.running(5):
        assert world.read()[:4] == ["a", "b", "c", "a"]
    assert world.now_s / (len(world.read()) - 1) == pytest.approx(5 / 3, rel=0.5), "each once in five seconds"


async def test_who_is_not_followed_any_more_is_not_read() -> None:
    world = World()
    world.reader.follow(KEY, ["a", "b"])
    world.reader.follow(OTHER, ["c"])
    world.reader.follow(KEY, ["b"])
    world.reader.follow(OTHER, [])
    async with world.running(15):
        assert set(world.read()) == {"b"}


async def test_whoever_is_followed_again_has_one_turn() -> None:
    """A pass that looks twice may see a pod, see it not, and see it again."""
    world = World()
    for _ in range(9):
        world.reader.follow(KEY, ["a"])
        world.reader.follow(KEY, [])
    world.reader.follow(KEY, ["a"])
    world.reader.follow(OTHER, ["b"])
    async with world.running(15):
        assert world.read()[:6] == ["a", "b"] * 3


async def test_a_kubelet_that_does_not_answer_holds_up_nobody() -> None:
    world = World()
    world.api.held[log_of("dead")] = asyncio.Event()
    world.api.logs[log_of("a")] = line(40)
    world.reader.follow(KEY, ["dead"])
    world.reader.follow(OTHER, ["a"])
    async with world.running(20):
        assert world.read().count("a") >= 4
        assert world.woken == [OTHER]


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (ApiError(0, "no answer"), 1),
        (ApiError(502, "the kubelet"), 1),
        (ApiError(400, "container is not running"), 0),
        (ApiError(404, ""), 0),
    ],
)
async def test_a_read_that_fails_is_made_again_in_turn(error: ApiError, counted: int) -> None:
    """What cannot be read since the pod has ended is no failure to count."""
    world, before = World(), _failed()
    world.api.logs[log_of("a")] = line(40)
    world.api.fails("logs", "pods", error)
    world.reader.follow(KEY, ["a"])
    async with world.running(6):
        assert world.read() == ["a", "a"]
    assert world.woken == [KEY]
    assert _failed() - before == counted


def _failed() -> float:
    return REGISTRY.get_sample_value("splat_operator_log_reads_failed_total") or 0.0


async def test_an_answer_that_comes_after_the_pod_has_ended_is_dropped() -> None:
    world = World()
    world.api.logs[log_of("a")] = line(40)
    gate = world.api.held[log_of("a")] = asyncio.Event()
    world.reader.follow(KEY, ["a"])
    async with world.running(1):
        world.reader.follow(KEY, [])
        gate.set()
        for _ in range(9):
            await asyncio.sleep(0)
        assert (world.woken, world.reader.progress(KEY, [], shares=1)) == ([], None)


@pytest.mark.parametrize(
    ("count", "is_news", "per_s"),
    [(1, False, 0.2), (100, False, 20), (10_000, False, 40), (10_000, True, 20)],
    ids=["one", "a hundred", "ten thousand", "ten thousand that each have news, which are two requests"],
)
async def test_the_rate_is_kept_whatever_runs(count: int, is_news: bool, per_s: float) -> None:
    """40 requests a second in all, statuses included; each pod once in five seconds where that is less."""
    world = World()
    for number in range(count):
        name = f"garden-{number}"
        world.reader.follow(Key("default", name), [name])
        world.api.logs[log_of(name)] = line(number % 100) if is_news else ""
    seconds = 20
    async with world.running(seconds):
        pass
    assert len(world.read()) == pytest.approx(per_s * seconds, rel=0.1, abs=2)
    assert len(world.read()) + len(world.woken) <= 40 * seconds + 2


async def test_with_dead_kubelets_few_reads_are_under_way_at_a_time() -> None:
    world = World()
    for number in range(500):
        name = f"garden-{number}"
        world.reader.follow(Key("default", name), [name])
        world.api.held[log_of(name)] = asyncio.Event()
    async with world.running(TIMEOUT_S):
        assert world.api.most_in_flight <= 40 * TIMEOUT_S + 2


async def test_pods_that_share_a_run_are_added_up() -> None:
    world = World()
    world.api.logs |= {log_of("a"): line(40, etaSeconds=9), log_of("b"): line(60, etaSeconds=20)}
    world.reader.follow(KEY, ["a", "b"])
    async with world.running(6):
        pass
    pods = [running_pod(name="a", index=0), running_pod(name="b", index=1)]
    found = world.reader.progress(KEY, pods, shares=2)
    assert found is not None
    assert (found.percent, found.eta_s, found.scenes_total) == (50, 20, 2)
    ended = succeeded_pod(json.dumps({**RESULT, "scenes": 1}), name="c", index=2)
    found = world.reader.progress(KEY, [*pods, ended], shares=3)
    assert found is not None
    assert (found.percent, found.scenes_done, found.scenes_total) == (66, 1, 3)
