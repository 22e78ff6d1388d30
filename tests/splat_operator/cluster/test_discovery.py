"""The operator waits for its CRD, which may be installed together with it."""

from __future__ import annotations

import asyncio

import pytest

from fake_connection import FakeConnection
from splat_operator.cluster import discovery
from splat_operator.cluster.paths import API_GROUPS, QUEUE_GROUP, RESOURCE_API

pytestmark = pytest.mark.asyncio

SERVED = {"resources": [{"name": "splatcompressions"}, {"name": "splatcompressions/status"}]}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeConnection:
    monkeypatch.setattr(discovery, "INTERVAL_S", 0)
    monkeypatch.setattr(discovery, "QUEUE_INTERVAL_S", 0)
    return FakeConnection()


async def test_a_crd_that_is_there_is_not_waited_for(api: FakeConnection) -> None:
    api.objects[RESOURCE_API] = SERVED
    await discovery.wait_until_served(api)
    assert [request.path for request in api.requests] == [RESOURCE_API]


@pytest.mark.parametrize("before", [None, {"resources": []}], ids=["no group", "another kind of the group"])
async def test_one_that_comes_later_is_waited_for_and_told_once(
    api: FakeConnection, before: dict[str, list[object]] | None, caplog: pytest.LogCaptureFixture
) -> None:
    if before:
        api.objects[RESOURCE_API] = before
    waiting = asyncio.create_task(discovery.wait_until_served(api))
    for _ in range(9):
        await asyncio.sleep(0)
    assert not waiting.done()
    api.objects[RESOURCE_API] = SERVED
    async with asyncio.timeout(5):
        await waiting
    assert [record.getMessage() for record in caplog.records] == [
        f"{RESOURCE_API} has no splatcompressions: apply the CRD; waiting"
    ]


async def test_an_api_server_that_refuses_is_asked_again(api: FakeConnection, caplog: pytest.LogCaptureFixture) -> None:
    api.objects[RESOURCE_API] = SERVED
    api.fails("get", "discovery", 503, 503, 401)
    async with asyncio.timeout(5):
        await discovery.wait_until_served(api)
    assert len(caplog.records) == 2, "each thing once"
    assert "no, 503; waiting" in caplog.text


KUEUE = {"name": QUEUE_GROUP, "preferredVersion": {"groupVersion": "kueue.x-k8s.io/v1beta2"}}
WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/scenes/workloads"


async def test_kueue_may_come_at_any_time(api: FakeConnection, caplog: pytest.LogCaptureFixture) -> None:
    api.objects[API_GROUPS] = {"groups": [{"name": "apps"}]}
    waiting = asyncio.create_task(discovery.wait_for_queues(api, "scenes"))
    for _ in range(9):
        await asyncio.sleep(0)
    assert not waiting.done()
    api.objects[API_GROUPS] = {"groups": [{"name": "apps"}, KUEUE]}
    api.fails("get", "workloads", 404, 404)  # The group may be served before its kinds are.
    async with asyncio.timeout(5):
        assert await waiting == "/apis/kueue.x-k8s.io/v1beta2"
    assert [request.path for request in api.requests[-3:]] == [WORKLOADS, API_GROUPS, WORKLOADS]
    assert caplog.records == [], "most clusters have none, which is no reason to warn"


async def test_without_the_right_to_list_workloads_kueue_is_not_heard(
    api: FakeConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """Who makes the roles himself may keep it back."""
    api.objects[API_GROUPS] = {"groups": [KUEUE]}
    api.fails("get", "workloads", 403, 403, 500)
    async with asyncio.timeout(5):
        await discovery.wait_for_queues(api, "scenes")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Kueue's Workloads cannot be listed: " in caplog.text
