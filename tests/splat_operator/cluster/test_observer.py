"""What a pass sees: of the store's, without requests but for two riddles; and of the API server's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compressions import KEY, SETTINGS, at
from fake_connection import FakeConnection
from raw_objects import Raw, raw_job, raw_pod, raw_resource, raw_running_pod
from splat_operator.api.model import Key
from splat_operator.api.names import DEFAULT_CONTROLLER, LABEL_COMPRESSION, PLURAL
from splat_operator.cluster import paths
from splat_operator.cluster.connection import ApiError
from splat_operator.cluster.observer import Observer
from splat_operator.cluster.store import Store

pytestmark = pytest.mark.asyncio

NO_ROOM = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "Insufficient nvidia.com/gpu",
}
EVENTS, JOBS, PODS = paths.events("default"), paths.jobs("default"), paths.pods("default")


class World:
    def __init__(self) -> None:
        self.api, self.store = FakeConnection(), Store(DEFAULT_CONTROLLER)
        self.observer = Observer(self.api, self.store, SETTINGS)

    def stored(self, *, jobs: list[Raw] | None = None, pods: list[Raw] | None = None) -> None:
        self.store.put(PLURAL, raw_resource())
        for kind, raws in (("jobs", jobs or []), ("pods", pods or [])):
            for raw in raws:
                self.store.put(kind, raw)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_glance_costs_no_request(world: World) -> None:
    world.stored(jobs=[raw_job()], pods=[raw_running_pod()])
    seen = await world.observer.glance(KEY, at(3600))
    assert seen == world.store.observe(KEY)
    assert world.api.requests == []
    assert await world.observer.glance(Key("default", "gone"), at(0)) is None


class TestJobWithoutPod:
    """Why it can make none stands in Events only."""

    def refuse(self, world: World, *events: tuple[str, str]) -> None:
        for number, (moment, message) in enumerate(events):
            world.api.has(EVENTS, {"metadata": {"name": str(number)}, "lastTimestamp": moment, "message": message})

    async def test_is_explained_by_the_latest_of_them(self, world: World) -> None:
        world.stored(jobs=[raw_job()])
        self.refuse(world, ("2026-01-01T12:00:09Z", "exceeded quota: gpus"), ("2026-01-01T12:00:01Z", "earlier"))
        seen = await world.observer.glance(KEY, at(10))
        assert seen is not None
        assert seen.pod_refusal == "exceeded quota: gpus"
        (request,) = world.api.requests
        selector = f"involvedObject.uid={raw_job()['metadata']['uid']},reason=FailedCreate"
        assert (request.path, request.options) == (EVENTS, {"fieldSelector": selector, "limit": "50"})

    @pytest.mark.parametrize("seconds", [0, 9])
    async def test_has_some_time_first(self, world: World, seconds: float) -> None:
        world.stored(jobs=[raw_job()])
        await world.observer.glance(KEY, at(seconds))
        assert world.api.requests == []

    @pytest.mark.parametrize(
        ("job", "pods"),
        [
            pytest.param(raw_job(), [raw_pod(phase="Pending")], id="has a pod"),
            pytest.param(raw_job(failed=1), [], id="had one"),
            pytest.param(raw_job(conditions=[{"type": "Complete", "status": "True"}]), [], id="is over"),
            pytest.param({**raw_job(), "spec": {"suspend": True}}, [], id="is suspended"),
            pytest.param(raw_job(startTime=None), [], id="was not taken up"),
        ],
    )
    async def test_is_no_riddle_where(self, world: World, job: Raw, pods: list[Raw]) -> None:
        world.stored(jobs=[job], pods=pods)
        await world.observer.glance(KEY, at(60))
        assert world.api.requests == []

    async def test_may_stay_one_where_events_may_not_be_read(self, world: World) -> None:
        world.stored(jobs=[raw_job()])
        world.api.fails("get", "events", 403)
        seen = await world.observer.glance(KEY, at(10))
        assert seen is not None
        assert seen.pod_refusal is None

    async def test_any_other_answer_is_an_error(self, world: World) -> None:
        world.stored(jobs=[raw_job()])
        world.api.fails("get", "events", 500)
        with pytest.raises(ApiError):
            await world.observer.glance(KEY, at(10))


class TestNoRoom:
    async def ask(self, world: World, *, capacity: dict[str, str], **status: Any) -> bool | None:
        world.api.has(paths.NODES, {"metadata": {"name": "a"}, "status": {"capacity": capacity}})
        world.stored(jobs=[raw_job()], pods=[raw_pod(**status)])
        seen = await world.observer.glance(KEY, at(10))
        assert seen is not None
        return seen.has_gpu_nodes

    @pytest.mark.parametrize(("capacity", "has"), [({"nvidia.com/gpu": "8"}, True), ({"cpu": "8"}, False)])
    async def test_for_want_of_a_gpu_asks_whether_there_is_any(
        self, world: World, capacity: dict[str, str], has: bool
    ) -> None:
        assert await self.ask(world, capacity=capacity, phase="Pending", conditions=[NO_ROOM]) == has

    @pytest.mark.parametrize(
        "status",
        [
            pytest.param({"phase": "Pending"}, id="not judged yet"),
            pytest.param(
                {"phase": "Pending", "conditions": [{**NO_ROOM, "message": "Insufficient memory"}]}, id="something else"
            ),
            pytest.param({"phase": "Failed", "conditions": [NO_ROOM]}, id="over"),
        ],
    )
    async def test_else_nothing_is_asked(self, world: World, status: dict[str, Any]) -> None:
        assert await self.ask(world, capacity={}, **status) is None
        assert world.api.requests == []


class TestLook:
    def there(self, world: World) -> None:
        world.api.has(paths.collection(PLURAL, "default"), raw_resource(50))
        world.api.has(JOBS, raw_job(51))
        world.api.has(PODS, raw_running_pod(52))

    async def test_asks_the_api_server_pods_last(self, world: World) -> None:
        """Those of a Job that is deleted in between would be missed, and another run begin beside them."""
        self.there(world)
        seen = await world.observer.look(KEY, at(0))
        assert [request.path for request in world.api.requests] == [paths.resource(KEY), JOBS, PODS]
        assert {request.options["labelSelector"] for request in world.api.requests[1:]} == {
            f"{LABEL_COMPRESSION}=garden"
        }
        assert seen is not None
        assert (seen.is_behind, len(seen.jobs), len(seen.pods)) == (False, 1, 1)
        assert seen.resource.resource_version == "50"

    async def test_a_resource_that_is_gone(self, world: World) -> None:
        assert await world.observer.look(KEY, at(0)) is None

    async def test_a_resource_that_is_anothers(self, world: World) -> None:
        world.api.has(paths.collection(PLURAL, "default"), raw_resource(managedBy="example.com/other"))
        assert await world.observer.look(KEY, at(0)) is None
        assert len(world.api.requests) == 1

    async def test_an_api_server_that_does_not_answer_is_an_error(self, world: World) -> None:
        world.api.fails("get", PLURAL, 500)
        with pytest.raises(ApiError):
            await world.observer.look(KEY, at(0))

    async def test_knows_of_the_others_that_write_there(self, world: World) -> None:
        self.there(world)
        twin = Key("default", "twin")
        world.store.put(PLURAL, raw_resource())
        world.store.put(PLURAL, raw_resource(key=twin, uid="twin"))
        seen = await world.observer.look(KEY, at(0))
        assert seen is not None
        assert seen.same_destination == (twin,)

    async def test_sees_the_same_as_a_glance_that_is_not_behind(self, world: World) -> None:
        self.there(world)
        world.store.put(PLURAL, raw_resource(50))
        world.store.put("jobs", raw_job(51))
        world.store.put("pods", raw_running_pod(52))
        glance = await world.observer.glance(KEY, at(0))
        assert glance is not None
        assert await world.observer.look(KEY, at(0)) == replace(glance, is_behind=False)
