"""One pass from the store to the API server: what it asks, in which order it acts, and how it ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from compressions import JOB_UID, KEY, RESULT, SETTINGS, after, observed
from raw_objects import COMPLETE, Raw, raw_ended_pod, raw_job, raw_pod, raw_resource, raw_running_pod
from splat_operator.api.names import PLURAL
from splat_operator.cluster import paths
from splat_operator.cluster.connection import ApiError
from splat_operator.runtime import metrics

from .world import JOBS, PODS, World, finished, passes

pytestmark = pytest.mark.asyncio

DONE = raw_ended_pod(0, json.dumps(RESULT))


@pytest.fixture
def world() -> World:
    return World()


class TestPass:
    async def test_the_first_one_makes_the_job_and_writes_that_down(self, world: World) -> None:
        world.has()
        before = passes("ok")
        assert await world.process() == 0, "what became of it is looked at"
        assert [request.verb for request in world.api.requests] == ["create", "patch"], "nothing has to be read"
        assert (world.status["phase"], world.told) == ("Pending", ["JobCreated"])
        assert passes("ok") == before + 1

    async def test_the_next_one_has_nothing_to_do(self, world: World) -> None:
        world.has()
        await world.process()
        world.api.requests.clear()
        assert await world.process() == 5, "until then it goes without saying that the pod is not there"
        assert world.api.requests == []

    async def test_what_it_is_not_sure_of_it_asks_first(self, world: World) -> None:
        """The store lacks a Job that is there: what was decided upon the store's word is not done."""
        world.has(status={"phase": "Running", "jobName": "garden-0123456789", "conditions": []})
        world.api.has(JOBS, raw_job())
        world.api.has(PODS, raw_running_pod())
        await world.process()
        assert [request.verb for request in world.api.requests] == ["get", "get", "get", "patch"]
        assert world.status["jobName"] == raw_job()["metadata"]["name"]

    async def test_a_resource_that_is_gone_meanwhile(self, world: World) -> None:
        world.store.put(PLURAL, raw_resource(status={"jobName": "garden-0123456789"}))
        assert await world.process() is None
        assert [request.verb for request in world.api.requests] == ["get"]

    async def test_a_resource_that_was_never_there(self, world: World) -> None:
        world.logs.follow(KEY, ["garden-x"])
        assert await world.process() is None
        assert (world.api.requests, world.logs._readings) == ([], {}), "its logs are followed no more"

    async def test_time_alone_calls_for_another(self, world: World) -> None:
        waiting = {"name": "worker", "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "no"}}}
        world.has(jobs=[raw_job()], pods=[raw_pod(phase="Pending", containerStatuses=[waiting])])
        assert await world.process() == SETTINGS.config_error_grace_s


class TestOrder:
    @pytest.fixture
    def order(self, world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Statuses, counts and Events in the order in which they were made."""
        made: list[str] = []
        patch, post = world.api.patch, world.poster.post

        async def note_patch(path: str, *arguments: Any, **named: Any) -> Any:
            made.append("status")
            return await patch(path, *arguments, **named)

        def note_post(*arguments: Any) -> None:
            made.append("event")
            post(*arguments)

        monkeypatch.setattr(world.api, "patch", note_patch)
        monkeypatch.setattr(world.poster, "post", note_post)
        monkeypatch.setattr(metrics, "record_finish", lambda *_, **__: made.append("finish"))
        monkeypatch.setattr(metrics, "record_wait", lambda *_: made.append("wait"))
        return made

    async def test_a_finish_is_counted_when_its_status_is_written(self, world: World, order: list[str]) -> None:
        world.has(status=after(observed()).status, jobs=[raw_job(**COMPLETE)], pods=[DONE])
        await world.process()
        assert order[0] == "status"
        assert sorted(order[1:]) == ["event", "finish", "wait"]
        assert world.api.sent("create", "events") == [], "it waits for no Event"

    async def test_what_is_not_written_is_neither_counted_nor_told(self, world: World, order: list[str]) -> None:
        world.has(jobs=[raw_job(**COMPLETE)], pods=[DONE])
        world.api.fails("patch", PLURAL, 500)
        with pytest.raises(ApiError):
            await world.process()
        assert order == ["status"]

    async def test_the_repeated_pass_counts_and_tells_once(self, world: World, order: list[str]) -> None:
        world.has(jobs=[raw_job(**COMPLETE)], pods=[DONE])
        world.api.fails("patch", PLURAL, 409)
        assert await world.process() == SETTINGS.conflict_pause_s
        for _ in range(3):
            await world.process()
        assert (order.count("finish"), order.count("event")) == (1, 2)


async def test_an_api_server_that_takes_no_events_loses_no_count_and_no_event(world: World) -> None:
    """Once an Event that was refused ended the pass before the count: no metric knew of the failure."""
    world.has(jobs=[raw_job(**COMPLETE)], pods=[DONE])
    world.api.fails("create", "events", 500, 503, None)
    before = finished("Succeeded", "Succeeded")
    await world.process()
    assert finished("Succeeded", "Succeeded") == before + 1
    told = world.told
    assert "Succeeded" in told

    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    world.poster._sleep = no_pause
    poster = asyncio.create_task(world.poster.run())
    for _ in range(30):
        await asyncio.sleep(0)
    poster.cancel()
    posted = [raw["reason"] for path, raw in world.api.objects.items() if path.startswith(paths.events("default"))]
    assert posted == told


class TestLogs:
    def followed(self, world: World) -> list[str]:
        return sorted(world.logs._readings.get(KEY, {}))

    @pytest.mark.parametrize(
        ("pod", "is_followed"),
        [
            pytest.param(raw_running_pod(), True, id="running"),
            pytest.param(raw_pod(phase="Pending"), False, id="pending"),
            pytest.param(DONE, False, id="ended"),
            pytest.param(raw_running_pod(job_uid="another"), False, id="another Job's"),
        ],
    )
    async def test_of_running_pods_are_followed(self, world: World, pod: Raw, is_followed: bool) -> None:
        world.has(jobs=[raw_job()], pods=[pod])
        await world.process()
        assert self.followed(world) == (["garden-x"] if is_followed else [])

    async def test_of_pods_under_deletion_are_not(self, world: World) -> None:
        """A kubelet that is gone would let each read wait for its timeout."""
        dying = raw_running_pod()
        dying["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
        world.has(jobs=[raw_job()], pods=[dying])
        await world.process()
        assert self.followed(world) == []

    async def test_hold_up_no_pass(self, world: World) -> None:
        world.has(jobs=[raw_job()], pods=[raw_running_pod()])
        await world.process()
        log = f"{PODS}/garden-x/log"
        world.api.held[log] = asyncio.Event()
        reader = asyncio.create_task(world.logs.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [request.path for request in world.api.sent("logs")] == [log]
        world.api.requests.clear()
        async with asyncio.timeout(1):
            await world.process()
        assert world.api.requests == []
        reader.cancel()

    async def test_tell_how_far_it_is(self, world: World) -> None:
        world.has(jobs=[raw_job()], pods=[raw_running_pod()])
        await world.process()
        world.api.logs[f"{PODS}/garden-x/log"] = '{"stage": "encode", "percent": 40}'
        reader = asyncio.create_task(world.logs.run())
        for _ in range(5):
            await asyncio.sleep(0)
        assert world.woken == [KEY]
        await world.process()
        assert world.status["progress"] == {"percent": 40, "stage": "encode", "scenesDone": 0, "scenesTotal": 1}
        reader.cancel()


async def test_a_run_from_the_first_look_to_its_end(world: World) -> None:
    """Each change comes as a watch would bring it; afterwards there is nothing more to do."""
    world.has(ttlSecondsAfterFinished=60)
    await world.process()
    (name,) = (raw["metadata"]["name"] for path, raw in world.api.objects.items() if path.startswith(JOBS))
    owner = world.api.objects[f"{JOBS}/{name}"]["metadata"]["uid"]

    async def comes(kind: str, raw: Raw) -> float | None:
        raw["metadata"]["resourceVersion"] = world.api.next_version()
        world.api.has({"jobs": JOBS, "pods": PODS}[kind], raw)
        assert world.store.put(kind, raw) == {KEY}
        return await world.process()

    await comes("pods", raw_pod(phase="Pending", job_uid=owner))
    assert world.status["phase"] == "Pending"
    await comes("pods", raw_running_pod(job_uid=owner))
    assert world.status["phase"] == "Running"
    await comes("pods", raw_ended_pod(0, json.dumps(RESULT), job_uid=owner))
    job = world.api.objects[f"{JOBS}/{name}"]
    assert await comes("jobs", {**job, "status": COMPLETE}) == 0, "its Job has yet to get its time to live"
    assert world.status["phase"] == "Succeeded"
    assert await world.process() is None
    assert world.api.objects[f"{JOBS}/{name}"]["spec"]["ttlSecondsAfterFinished"] == 60
    assert world.told == ["JobCreated", "Succeeded"]
    world.api.requests.clear()
    assert await world.process() is None
    assert world.api.requests == []
    assert owner != JOB_UID
