"""Rounds against a real HTTP server whose lists change: stalled watches, no false alarms, keys, phases, failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from splat_operator.api.model import Key
from splat_operator.api.names import PLURAL
from splat_operator.cluster.connection import Connection
from splat_operator.cluster.delivered import Delivered
from splat_operator.cluster.resync import FIRST_S, GRACE_S, PACE_S, Resync

pytestmark = pytest.mark.asyncio

Raw = dict[str, Any]

DONE = {"phase": "Succeeded", "observedGeneration": 1}


def thing(name: str, version: str = "1", *, status: Raw | None = None, **meta: Any) -> Raw:
    meta = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": version,
        "generation": 1,
        **meta,
    }
    return {"metadata": meta, "spec": {}, "status": status or {}}


class Lists:
    """An API server that only lists, and the watch events that tell of the same objects."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Raw]] = {PLURAL: [], "jobs": [], "pods": []}
        self.delivered = Delivered()
        self.requests: list[tuple[str, dict[str, str], str]] = []
        self.failures: dict[str, Raw] = {}
        """What a kind is answered with instead: arguments of web.Response."""
        self.after_snapshot: dict[str, Callable[[], None]] = {}
        """Happens once between a kind's list and its arrival."""
        self.enqueued: list[tuple[Key, float]] = []
        self.sleeps: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens during each sleep."""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.query), request.headers["Accept"]))
        kind = request.path.rpartition("/")[2]
        if kind in self.failures:
            return web.Response(**self.failures[kind])
        start, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        scope = request.path.split("/")[-2] if "/namespaces/" in request.path else None
        found = [raw for raw in self.objects[kind] if scope in (None, raw["metadata"]["namespace"])]
        page = [dict(raw) for raw in found[start : start + limit]]
        self.after_snapshot.pop(kind, lambda: None)()
        if "PartialObjectMetadataList" in request.headers["Accept"]:
            page = [{"metadata": raw["metadata"]} for raw in page]
        more = {"continue": str(start + limit)} if start + limit < len(found) else {}
        return web.json_response({"items": page, "metadata": more})

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.meanwhile()

    def has(self, kind: str, *objects: Raw) -> None:
        self.objects[kind] = list(objects)

    def tell(self, kind: str, raw: Raw, event_type: str | None = "MODIFIED") -> None:
        self.delivered.event(kind, event_type, raw)


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest_asyncio.fixture
async def connection(lists: Lists) -> AsyncIterator[Connection]:
    app = web.Application()
    app.router.add_get("/{path:.*}", lists.answer)
    async with TestServer(app) as server, asyncio.timeout(30):
        connection = Connection(client.ApiClient(client.Configuration(host=str(server.make_url("")).rstrip("/"))))
        yield connection
        await connection.close()


@pytest.fixture
def resync(lists: Lists, connection: Connection) -> Resync:
    return make(lists, connection)


def make(lists: Lists, connection: Connection, **settings: Any) -> Resync:
    def enqueue(key: Key, delay_s: float) -> None:
        lists.enqueued.append((key, delay_s))

    return Resync(connection, lists.delivered, enqueue, sleep=lists.sleep, **settings)


@pytest.mark.parametrize("kind", [PLURAL, "jobs", "pods"])
async def test_change_without_an_event_is_a_stall(lists: Lists, resync: Resync, kind: str) -> None:
    lists.tell(kind, thing("a", "1"))
    lists.has(kind, thing("a", "2"))
    await resync.round()
    assert lists.delivered.stalled_kinds == [kind]
    assert lists.sleeps == [GRACE_S]


async def test_new_object_without_an_event_is_a_stall(lists: Lists, resync: Resync) -> None:
    lists.has("jobs", thing("a"))
    await resync.round()
    assert lists.delivered.stalled_kinds == ["jobs"]


@pytest.mark.parametrize("event_type", ["ADDED", "MODIFIED", None])
async def test_everything_told_is_no_stall(lists: Lists, resync: Resync, event_type: str | None) -> None:
    lists.has("jobs", thing("a"))
    lists.tell("jobs", thing("a"), event_type)
    await resync.round()
    assert lists.delivered.stalled_kinds == []
    assert lists.sleeps == []


async def test_event_within_the_grace_is_no_stall(lists: Lists, resync: Resync) -> None:
    lists.has("jobs", thing("a", "2"))
    lists.meanwhile = lambda: lists.tell("jobs", thing("a", "2"))
    await resync.round()
    assert lists.delivered.stalled_kinds == []
    assert len(lists.requests) == 3, "no second look was needed"


async def test_object_that_keeps_changing_is_no_stall(lists: Lists, resync: Resync) -> None:
    lists.has("jobs", thing("a", "2"))
    lists.meanwhile = lambda: lists.has("jobs", thing("a", "3"))
    await resync.round()
    assert lists.delivered.stalled_kinds == []


async def test_newer_event_than_the_list_is_no_stall(lists: Lists, resync: Resync) -> None:
    def change() -> None:
        lists.has("jobs", thing("a", "3"))
        lists.tell("jobs", thing("a", "3"))

    lists.has("jobs", thing("a", "2"))
    lists.meanwhile = change
    await resync.round()
    assert lists.delivered.stalled_kinds == []


async def test_object_deleted_within_the_grace_is_no_stall(lists: Lists, resync: Resync) -> None:
    lists.has("pods", thing("a"))
    lists.meanwhile = lambda: lists.has("pods")
    await resync.round()
    assert lists.delivered.stalled_kinds == []


async def test_event_during_the_second_list_ends_the_alarm(lists: Lists, resync: Resync) -> None:
    lists.has("jobs", thing("a", "2"))
    lists.meanwhile = lambda: lists.after_snapshot.update(jobs=lambda: lists.tell("jobs", thing("a", "2")))
    await resync.round()
    assert lists.delivered.stalled_kinds == []


async def test_stall_ends_when_events_come_again(lists: Lists, resync: Resync) -> None:
    lists.has("jobs", thing("a"), thing("b"))
    await resync.round()
    lists.tell("jobs", thing("a"))
    assert lists.delivered.stalled_kinds == ["jobs"], "another watch, of b's namespace, may be the stalled one"
    lists.tell("jobs", thing("b"))
    assert lists.delivered.stalled_kinds == []


async def test_stall_stays_while_nothing_can_be_listed(lists: Lists, resync: Resync) -> None:
    lists.has("jobs", thing("a"))
    await resync.round()
    lists.failures["jobs"] = {"status": 503}
    await resync.round()
    assert lists.delivered.stalled_kinds == ["jobs"]
    del lists.failures["jobs"]
    lists.has("jobs")
    await resync.round()
    assert lists.delivered.stalled_kinds == []


async def test_deletion_that_was_not_told_is_only_forgotten(lists: Lists, resync: Resync) -> None:
    lists.tell("jobs", thing("a"))
    lists.tell(PLURAL, thing("b"))
    await resync.round()
    assert lists.delivered.stalled_kinds == []
    assert lists.delivered.versions["jobs"] == {}
    assert lists.delivered.phases == {}


async def test_deletion_that_was_told_is_forgotten(lists: Lists) -> None:
    lists.tell(PLURAL, thing("a"))
    lists.tell(PLURAL, thing("a"), "DELETED")
    assert lists.delivered.versions[PLURAL] == {}
    assert lists.delivered.phases == {}


async def test_object_told_during_the_list_is_not_forgotten(lists: Lists, resync: Resync) -> None:
    lists.after_snapshot["jobs"] = lambda: lists.tell("jobs", thing("new"))
    await resync.round()
    assert lists.delivered.versions["jobs"] == {"uid-new": "1"}


async def test_phases_become_those_of_the_list(lists: Lists, resync: Resync) -> None:
    lists.tell(PLURAL, thing("a", status={"phase": "Running"}))
    lists.tell(PLURAL, thing("gone", status={"phase": "Running"}))
    lists.has(PLURAL, thing("a", "2", status=DONE), thing("b"))
    await resync.round()
    assert lists.delivered.phases == {"uid-a": ("team", "Succeeded"), "uid-b": ("team", "Pending")}


async def test_phase_told_during_the_list_counts(lists: Lists, resync: Resync) -> None:
    lists.has(PLURAL, thing("a", status={"phase": "Running"}))
    lists.after_snapshot[PLURAL] = lambda: lists.tell(PLURAL, thing("a", "2", status=DONE))
    await resync.round()
    assert lists.delivered.phases == {"uid-a": ("team", "Succeeded")}


async def test_keys_of_what_may_want_a_pass(lists: Lists, resync: Resync) -> None:
    lists.has(
        PLURAL,
        thing("new"),
        thing("done", status=DONE),
        thing("running", status={"phase": "Running", "observedGeneration": 1}),
        thing("changed", status=DONE, generation=2),
        thing("deleted", status=DONE, deletionTimestamp="2026-01-01T00:00:00Z"),
    )
    await resync.round()
    names = ("new", "running", "changed", "deleted")
    assert lists.enqueued == [(Key("team", name), place * PACE_S) for place, name in enumerate(names)]


async def test_pages(lists: Lists, resync: Resync) -> None:
    lists.has(PLURAL, *(thing(str(number)) for number in range(1001)))
    for raw in lists.objects[PLURAL]:
        lists.tell(PLURAL, raw)
    await resync.round()
    assert len(lists.enqueued) == 1001
    assert [query.get("continue") for path, query, _ in lists.requests if path.endswith(PLURAL)] == [
        None,
        "500",
        "1000",
    ]


async def test_what_is_asked_for(lists: Lists, resync: Resync) -> None:
    await resync.round()
    resources, jobs, pods = lists.requests
    assert resources == (f"/apis/splats.dev/v1alpha1/{PLURAL}", {"limit": "500"}, "application/json")
    assert [path for path, _, _ in (jobs, pods)] == ["/apis/batch/v1/jobs", "/api/v1/pods"]
    for _, query, accept in (jobs, pods):
        assert query == {"labelSelector": "app.kubernetes.io/managed-by=splat-operator", "limit": "500"}
        assert accept == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def test_only_watched_namespaces(lists: Lists, connection: Connection) -> None:
    lists.has(PLURAL, thing("a"), thing("b", namespace="other"))
    await make(lists, connection, namespaces=("team", "more")).round()
    assert [path for path, _, _ in lists.requests if path.endswith("jobs")] == [
        "/apis/batch/v1/namespaces/team/jobs",
        "/apis/batch/v1/namespaces/more/jobs",
    ]
    assert [key for key, _ in lists.enqueued] == [Key("team", "a")]


@pytest.mark.parametrize("broken", [{"status": 503}, {"text": "not JSON"}, {"text": "{}"}])
async def test_failed_list_is_told_and_tried_again(
    lists: Lists, connection: Connection, caplog: pytest.LogCaptureFixture, broken: Raw
) -> None:
    def later() -> None:
        if len(lists.sleeps) == 2:
            assert [key.name for key, _ in lists.enqueued] == [], "the list of resources failed"
            lists.failures.clear()
            lists.has(PLURAL, thing("a"))
            lists.tell(PLURAL, thing("a"))
        elif len(lists.sleeps) == 3:
            raise asyncio.CancelledError

    lists.failures[PLURAL] = broken
    lists.meanwhile = later
    with pytest.raises(asyncio.CancelledError):
        await make(lists, connection, interval_s=300).run()
    assert lists.sleeps == [FIRST_S, 300, 300]
    assert f"The list of {PLURAL} failed; the next in 300 s" in caplog.text
    assert [key.name for key, _ in lists.enqueued] == ["a"]
    assert len(lists.requests) >= 6, "the other kinds were looked at"


async def test_refusal_of_metadata_is_told_in_the_servers_words(
    lists: Lists, resync: Resync, caplog: pytest.LogCaptureFixture
) -> None:
    lists.failures["pods"] = {"status": 403, "text": '{"message": "pods is forbidden"}'}
    await resync.round()
    assert "The list of pods failed; the next in 300 s: pods is forbidden" in caplog.text


async def test_server_that_has_no_metadata_form_is_asked_for_the_objects(lists: Lists, resync: Resync) -> None:
    async def plain_only(request: web.Request) -> web.Response:
        if "Partial" in request.headers["Accept"]:
            return web.Response(status=406)
        return await answer(request)

    answer, lists.answer = lists.answer, plain_only  # type: ignore[method-assign]
    lists.has("jobs", thing("a"))
    await resync.round()
    assert lists.delivered.stalled_kinds == ["jobs"]
