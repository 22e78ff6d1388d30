"""Events are posted beside the passes: in order, and again where that may help; nobody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from compressions import UID, resource
from fake_connection import FakeConnection
from splat_operator.api.model import EmitEvent
from splat_operator.cluster import events
from splat_operator.cluster.events import ATTEMPTS, MAX_NOTE, PAUSE_S, EventPoster, build_event
from splat_operator.cluster.paths import events as events_of

pytestmark = pytest.mark.asyncio


class World:
    def __init__(self) -> None:
        self.api, self.pauses = FakeConnection(), list[float]()
        self.poster = EventPoster(self.api, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def post(self, *reasons: str) -> None:
        for reason in reasons:
            self.poster.post(resource(), EmitEvent("Normal", reason, f"{reason}, because."))

    @property
    def posted(self) -> list[str]:
        """Reasons of the Events that the API server has."""
        return [raw["reason"] for path, raw in self.api.objects.items() if path.startswith(events_of("default"))]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.poster.run())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not task.done()
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def world() -> World:
    return World()


async def test_they_come_in_order(world: World) -> None:
    world.post("JobCreated", "Queued")
    assert world.api.requests == [], "a pass does not wait for them"
    async with world.running():
        world.post("Started")
        for _ in range(9):
            await asyncio.sleep(0)
        assert world.posted == ["JobCreated", "Queued", "Started"]


@pytest.mark.parametrize("code", [0, 429, 500, 504])
async def test_one_that_fails_is_posted_again(world: World, code: int) -> None:
    world.api.fails("create", "events", code, code, code)
    world.post("Succeeded", "Next")
    async with world.running():
        assert world.posted == ["Succeeded", "Next"]
    assert world.pauses == [PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S]
    names = {request.body["metadata"]["name"] for request in world.api.sent("create")[:4]}
    assert len(names) == 1, "one whose answer was lost is there already"


async def test_one_that_goes_on_failing_is_dropped_and_the_next_ones_come(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.api.fails("create", "events", *[500] * ATTEMPTS)
    world.post("Succeeded", "Next")
    async with world.running():
        assert world.posted == ["Next"]
    assert "The Event Succeeded about garden is dropped" in caplog.text


@pytest.mark.parametrize("code", [403, 404, 409], ids=["namespace goes", "namespace is gone", "is there already"])
async def test_one_that_cannot_be_posted_is_not_tried_again(world: World, code: int) -> None:
    world.api.fails("create", "events", code)
    world.post("Succeeded", "Next")
    async with world.running():
        assert world.posted == ["Next"]
    assert world.pauses == []


async def test_while_nobody_answers_the_oldest_are_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_WAITING", 3)
    world.poster = EventPoster(world.api, sleep=world.sleep)
    world.post(*"abcde")
    async with world.running():
        assert world.posted == ["c", "d", "e"]


async def test_an_api_server_that_is_away_holds_up_no_more_than_the_events(world: World) -> None:
    world.api.held[events_of("default")] = asyncio.Event()
    async with world.running():
        world.post("a", "b")
        assert world.posted == []
        world.api.held.popitem()[1].set()
        for _ in range(9):
            await asyncio.sleep(0)
        assert world.posted == ["a", "b"]


async def test_what_an_event_says() -> None:
    event = build_event(resource(), EmitEvent("Warning", "Failed", "It is not there."))
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "Failed", "It is not there.")
    about = event["involvedObject"]
    assert (about["kind"], about["name"], about["namespace"], about["uid"]) == (
        "SplatCompression",
        "garden",
        "default",
        UID,
    )
    assert event["metadata"]["namespace"] == "default"
    assert event["firstTimestamp"] == event["lastTimestamp"]


async def test_two_events_have_two_names() -> None:
    names = {build_event(resource(), EmitEvent("Normal", "a", "b"))["metadata"]["name"] for _ in range(9)}
    assert len(names) == 9


async def test_a_message_is_cut_to_the_bytes_that_are_taken() -> None:
    message = build_event(resource(), EmitEvent("Normal", "a", "é" * MAX_NOTE))["message"]
    assert len(message.encode()) == MAX_NOTE
    assert set(message) == {"é"}
