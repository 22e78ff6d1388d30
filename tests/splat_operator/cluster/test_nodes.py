"""Which extended resources nodes have: one look a minute for all who ask."""

from __future__ import annotations

import asyncio

import pytest

from fake_connection import FakeConnection
from splat_operator.cluster import paths
from splat_operator.cluster.connection import ApiError
from splat_operator.cluster.nodes import MEMORY_S, Nodes

pytestmark = pytest.mark.asyncio

GPU, SHARED = "nvidia.com/gpu", "nvidia.com/gpu.shared"


class World:
    def __init__(self) -> None:
        self.api, self.now_s = FakeConnection(), 0.0
        self.nodes = Nodes(self.api, lambda: self.now_s)

    def has(self, name: str, **capacity: str) -> None:
        self.api.has(paths.NODES, {"metadata": {"name": name}, "status": {"capacity": {"cpu": "8", **capacity}}})


@pytest.fixture
def world() -> World:
    return World()


async def test_whether_any_node_has_it(world: World) -> None:
    world.has("a")
    world.has("b", **{GPU: "8", SHARED: "0"})
    world.api.objects[f"{paths.NODES}/new"] = {"metadata": {"name": "new"}}
    assert [await world.nodes.have(name) for name in (GPU, SHARED, "amd.com/gpu")] == [True, False, False]


async def test_one_look_a_minute_for_all_names(world: World) -> None:
    assert not await world.nodes.have(GPU)
    world.has("a", **{GPU: "8"})
    world.now_s = MEMORY_S - 1
    assert not await world.nodes.have(GPU)
    assert not await world.nodes.have(SHARED)
    assert len(world.api.sent("get", "nodes")) == 1
    world.now_s = MEMORY_S
    assert await world.nodes.have(GPU)
    assert len(world.api.sent("get", "nodes")) == 2


async def test_who_asks_meanwhile_waits_for_the_answer(world: World) -> None:
    """A thousand pods that find no room at a time are one list of the nodes."""
    world.has("a", **{GPU: "8"})
    world.api.held[paths.NODES] = asyncio.Event()
    asked = [asyncio.create_task(world.nodes.have(GPU)) for _ in range(1000)]
    await asyncio.sleep(0)
    world.api.held[paths.NODES].set()
    assert await asyncio.gather(*asked) == [True] * 1000
    assert len(world.api.sent("get", "nodes")) == 1


async def test_nodes_are_read_in_pages() -> None:
    class Paged(FakeConnection):
        async def get(self, path: str, query: object = None) -> object:
            listed = await super().get(path, query)  # type: ignore[arg-type]
            items = listed["items"]
            start = int(dict(query or {}).get("continue", 0))  # type: ignore[call-overload]
            more = {"continue": str(start + 1)} if start + 1 < len(items) else {}
            return {"items": items[start : start + 1], "metadata": more}

    api = Paged()
    for name in "abc":
        capacity = {GPU: "1"} if name == "c" else {}
        api.has(paths.NODES, {"metadata": {"name": name}, "status": {"capacity": capacity}})
    assert await Nodes(api).have(GPU)
    assert [request.options for request in api.sent("get")] == [
        {"limit": "100"},
        {"limit": "100", "continue": "1"},
        {"limit": "100", "continue": "2"},
    ]


async def test_without_the_right_nobody_knows(world: World) -> None:
    world.api.fails("get", "nodes", 403)
    assert await world.nodes.have(GPU) is None
    assert await world.nodes.have(GPU) is None
    assert len(world.api.sent("get", "nodes")) == 1, "asking again does not help"


async def test_a_look_that_fails_is_repeated_by_the_next_who_asks(world: World) -> None:
    world.has("a", **{GPU: "8"})
    world.api.fails("get", "nodes", 503)
    with pytest.raises(ApiError):
        await world.nodes.have(GPU)
    assert await world.nodes.have(GPU)
