"""Lists and watches against a real HTTP server that does what API servers and their proxies do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from compressions import KEY
from raw_objects import raw_job, raw_pod, raw_workload
from splat_operator.api.names import PLURAL
from splat_operator.cluster import watches
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.cluster.paths import WORKLOADS
from splat_operator.cluster.watches import MAX_PAUSE_S, PAUSE_S, wait_until_listed

from .bench import GONE, ApiServer, Bench, bookmark, event

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    api = ApiServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", api.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        connection = Connection(client.ApiClient(client.Configuration(host=url)))
        yield Bench(api, connection)
        await connection.close()


async def test_pages_and_then_changes(bench: Bench) -> None:
    bench.api.lists(raw_pod(5, name="a"), version=90, more="next")
    bench.api.lists(raw_pod(6, name="b"), version=100)
    bench.api.watches(
        event("MODIFIED", raw_pod(101, name="a", phase="Running")),
        event("DELETED", raw_pod(102, name="b")),
        event("ADDED", raw_pod(103, name="c")),
    )
    watch = bench.make()
    async with bench.running(watch):
        await wait_until_listed([watch])
    first, second, third = bench.api.requests[:3]
    selector = "app.kubernetes.io/managed-by=splat-operator"
    assert first == {"labelSelector": selector, "limit": "100"}
    assert second == {**first, "continue": "next"}
    assert (third["watch"], third["resourceVersion"], third["allowWatchBookmarks"]) == ("1", "100", "true")
    assert third["labelSelector"] == selector
    assert bench.pods() == ["a", "c"]
    assert bench.woken == [KEY] * 5
    assert watch.last_event is not None


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        (PLURAL, None, "/apis/splats.dev/v1alpha1/splatcompressions"),
        ("jobs", "team", "/apis/batch/v1/namespaces/team/jobs"),
        ("pods", None, "/api/v1/pods"),
    ],
)
async def test_what_is_watched(bench: Bench, kind: str, namespace: str | None, path: str) -> None:
    async with bench.running(bench.make(kind, namespace)):
        assert bench.api.paths == [path]
    assert ("labelSelector" in bench.api.requests[0]) == (kind != PLURAL), "resources have no label of the operator's"


KUEUE = "/apis/kueue.x-k8s.io/v1beta2"


async def test_workloads_have_no_label_of_the_operators(bench: Bench) -> None:
    bench.api.lists(raw_workload(5))
    async with bench.running(bench.make(WORKLOADS, "team", api=KUEUE)):
        assert bench.api.paths[0] == f"{KUEUE}/namespaces/team/workloads"
    assert "labelSelector" not in bench.api.requests[0]
    assert bench.woken == [KEY]


async def test_the_watch_of_what_need_not_be_there_ends_with_it(bench: Bench) -> None:
    """Kueue was uninstalled; of the kinds that must be there it is an answer like others."""
    bench.api.lists(raw_workload(5))
    for _ in range(2):
        bench.api.says(404, {"message": "the server could not find the requested resource"})
    with pytest.raises(ApiError, match="could not find"):
        await bench.make(WORKLOADS, api=KUEUE).run()
    async with bench.running(bench.make()):
        assert len(bench.pauses) == 1


async def test_nothing_new_wakes_nobody(bench: Bench) -> None:
    bench.api.lists(raw_pod(5))
    bench.api.watches(event("MODIFIED", raw_pod(5)), event("MODIFIED", raw_pod(101)), bookmark(102))
    async with bench.running(bench.make()):
        assert bench.woken == [KEY]


async def test_after_the_servers_end_it_goes_on_from_the_last_version(bench: Bench) -> None:
    bench.api.lists(raw_pod(5))
    bench.api.watches(event("MODIFIED", raw_pod(101)), bookmark(150), event("MODIFIED", raw_pod(160)))
    bench.api.watches(bookmark(200))
    async with bench.running(bench.make()):
        pass
    assert [query["resourceVersion"] for query in bench.api.requests[1:]] == ["100", "160", "200"]


async def test_silence_is_given_up_and_gone_on_from_the_last_version(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "SILENCE_S", 0.05)
    bench.api.lists(raw_pod(5))
    bench.api.watches(bookmark(150), then=asyncio.Event().wait)  # type: ignore[arg-type]
    watch = bench.make()
    async with bench.running(watch):
        pass
    assert [query["resourceVersion"] for query in bench.api.requests[1:3]] == ["100", "150"]


async def test_a_connection_that_breaks_loses_nothing(bench: Bench) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps(event("ADDED", raw_pod(101, name="a"))).encode() + b'\n{"type": "ADD')
        assert request.transport
        request.transport.abort()
        return response

    bench.api.lists()
    bench.api.answers.append(breaks)
    async with bench.running(bench.make()):
        assert bench.pods() == ["a"]
    assert bench.api.requests[2]["resourceVersion"] == "101"


@pytest.mark.parametrize("line", [b'{"type": "ADD', b"<html>\n", b"[]\n", b'{"kind": "Status"}\n'], ids=str)
async def test_what_is_no_event_ends_the_connection_and_not_the_watch(bench: Bench, line: bytes) -> None:
    bench.api.lists()
    bench.api.watches(event("ADDED", raw_pod(101, name="a")), line)
    async with bench.running(bench.make()):
        assert bench.api.requests[2]["resourceVersion"] == "101"
    assert len(bench.pauses) == 1


@pytest.mark.parametrize("how", ["status", "event", "list"])
async def test_gone_lists_again_and_forgets_what_is_gone(bench: Bench, how: str) -> None:
    bench.api.lists(raw_pod(5, name="a"), raw_pod(6, name="b"))
    if how == "event":
        bench.api.watches(GONE)
    elif how == "status":
        bench.api.says(410, GONE["object"])
    else:
        bench.api.watches(GONE)
        bench.api.lists(raw_pod(120, name="a"), version=140, more="old")
        bench.api.says(410, GONE["object"])
    bench.api.lists(raw_pod(150, name="b"), raw_pod(151, name="c"), version=200)
    async with bench.running(bench.make()):
        assert bench.pods() == ["b", "c"]
    assert bench.api.requests[-1]["resourceVersion"] == "200"
    assert set(bench.woken) == {KEY}


async def test_everything_is_listed_again_after_a_while(bench: Bench) -> None:
    """The net under an event that was lost."""

    async def later() -> None:
        bench.now_s += 60

    bench.api.lists(raw_pod(5, name="a"))
    bench.api.watches(bookmark(150), then=later)
    bench.api.lists(raw_pod(7, name="b"), version=300)
    async with bench.running(bench.make(relist_interval_s=60)):
        assert bench.pods() == ["b"]
    assert bench.api.requests[1]["timeoutSeconds"] == "60"


def grows(pauses: list[float]) -> bool:
    """Doubles, by a fifth more or less, up to the longest."""
    expected = [min(MAX_PAUSE_S, PAUSE_S * 2**number) for number in range(len(pauses))]
    return all(0.79 * should <= pause <= 1.21 * should for pause, should in zip(pauses, expected, strict=True))


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_lists_that_are_refused_back_off(bench: Bench, status: int, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(9):
        bench.api.says(status, {"message": "not now"})
    async with bench.running(bench.make()):
        assert len(bench.pauses) == 9
    assert grows(bench.pauses)
    assert "not now" in caplog.text


@pytest.mark.parametrize("kind", ["refused", "ends at once", "error event", "gone", "a proxy's word"])
async def test_watches_that_fail_in_a_row_back_off(bench: Bench, kind: str) -> None:
    """Else a server in trouble would be asked as fast as it can say no."""
    for _ in range(6):
        if kind == "gone" or not bench.api.answers:
            bench.api.lists(raw_pod(5))
        if kind == "refused":
            bench.api.says(500, {"message": "not now"})
        elif kind == "ends at once":
            bench.api.watches()
        elif kind == "a proxy's word":
            bench.api.watches(b"502\n")
        else:
            bench.api.watches(GONE if kind == "gone" else {"type": "ERROR", "object": {"code": 500, "message": "no"}})
    async with bench.running(bench.make()):
        assert len(bench.pauses) == 6
    assert grows(bench.pauses)


async def test_an_event_ends_the_row_of_failures(bench: Bench) -> None:
    bench.api.lists()
    for _ in range(2):
        bench.api.says(500, {"message": "not now"})
        bench.api.says(500, {"message": "not now"})
        bench.api.watches(bookmark(150), then=lambda: bench.sleep_of(30))
    async with bench.running(bench.make()):
        pass
    assert grows(bench.pauses[:2])
    assert grows(bench.pauses[2:])


async def test_an_object_that_cannot_be_read_is_left_out(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A restart would find it again: nobody else's must suffer from it."""
    broken = raw_pod(5, name="broken", containerStatuses=[{}])
    bench.api.lists(broken, raw_pod(6, name="a"))
    bench.api.watches(event("MODIFIED", {**broken}), event("ADDED", raw_pod(101, name="b")))
    async with bench.running(bench.make()):
        assert bench.pods() == ["a", "b"]
    assert "pods default/broken cannot be read" in caplog.text


async def test_silent_s_counts_from_the_last_thing_heard(bench: Bench) -> None:
    watch = bench.make()
    bench.now_s += 50
    assert watch.silent_s == 50
    bench.api.lists(raw_pod(5))
    bench.api.watches(bookmark(150), then=lambda: bench.sleep_of(7))
    bench.api.says(500, {"message": "a refusal is something heard"})
    async with bench.running(watch):
        assert watch.silent_s == 0
        bench.now_s += 3
        assert watch.silent_s == 3


async def test_where_nobody_answers_nothing_is_heard() -> None:
    dead = Connection(client.ApiClient(client.Configuration(host="http://127.0.0.1:1")))
    bench = Bench(ApiServer(), dead)
    watch = bench.make()

    async def sleep(_: float) -> None:
        bench.now_s += 100
        if bench.now_s > 1450:
            bench.api.idle.set()
            await asyncio.Event().wait()

    watch._sleep = sleep
    async with bench.running(watch):
        assert watch.silent_s == 500
        assert not watch.has_listed.is_set()
    await dead.close()


async def test_a_job_that_goes_wakes_its_resource(bench: Bench) -> None:
    bench.api.lists(raw_job(5))
    bench.api.watches(event("DELETED", raw_job(101)))
    async with bench.running(bench.make("jobs")):
        assert bench.woken == [KEY, KEY]
    seen = bench.store.observe(KEY)
    assert seen is not None
    assert (seen.jobs, seen.is_behind) == ((), True)
