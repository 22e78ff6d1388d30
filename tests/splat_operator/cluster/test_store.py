"""What is kept of the cluster: the newest of everything, by the resource that it is about, and nothing that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import KEY
from raw_objects import raw_cleanup, raw_job, raw_pod, raw_resource
from splat_operator.api.model import Key
from splat_operator.api.names import DEFAULT_CONTROLLER, LABEL_COMPRESSION, PLURAL
from splat_operator.cluster.parsing import assemble, parse_resource
from splat_operator.cluster.store import DEPARTED_S, DOUBT_S, Store

RAWS: dict[str, Any] = {PLURAL: raw_resource, "jobs": raw_job, "pods": raw_pod}
TWIN, FAR = Key("default", "twin"), Key("far", "garden")


class Clock:
    def __init__(self) -> None:
        self.now_s = 10_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(DEFAULT_CONTROLLER, clock)


def filled(store: Store) -> Store:
    """With the resource, its Job and its pod, all of version 7."""
    for kind, raw in RAWS.items():
        store.put(kind, raw(7))
    return store


def is_behind(store: Store) -> bool:
    seen = store.observe(KEY)
    assert seen is not None
    return seen.is_behind


def test_what_was_put_is_observed(store: Store) -> None:
    assert [store.put(kind, raw(7)) for kind, raw in RAWS.items()] == [{KEY}] * 3
    seen = store.observe(KEY)
    expected = assemble(parse_resource(raw_resource(7)), [raw_job(7)], [raw_pod(7)], is_behind=True)
    assert seen == expected


def test_children_without_a_resource_are_nothing_to_observe(store: Store) -> None:
    """They may come first; what they are about is not seen yet."""
    assert store.put("jobs", raw_job()) == {KEY}
    assert store.observe(KEY) is None
    store.put(PLURAL, raw_resource())
    seen = store.observe(KEY)
    assert seen is not None
    assert len(seen.jobs) == 1


@pytest.mark.parametrize("kind", RAWS)
def test_an_older_version_changes_nothing(store: Store, kind: str) -> None:
    """The answer to a write may come after the watch's event of a later one."""
    filled(store)
    before = store.observe(KEY)
    older = RAWS[kind](6)
    older["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert store.put(kind, older) == set()
    assert store.observe(KEY) == before


def test_versions_are_numbers(store: Store) -> None:
    store.put(PLURAL, raw_resource(9))
    assert store.put(PLURAL, raw_resource(10, suspend=True)) == {KEY}
    assert store.put(PLURAL, raw_resource(9, suspend=False)) == set()


@pytest.mark.parametrize("kind", RAWS)
def test_a_change_that_nobody_reads_wakes_nobody(store: Store, kind: str) -> None:
    filled(store)
    raw = RAWS[kind](8)
    raw["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "selfLink": "/a"}
    raw["metadata"].setdefault("annotations", {})["example.com/a"] = "b"
    assert store.put(kind, raw) == set()
    changed = RAWS[kind](9)
    changed["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert store.put(kind, changed) == {KEY}


def test_a_write_uses_the_version_of_the_latest_change_all_the_same(store: Store) -> None:
    """A status that names an older one would be refused."""
    store.put(PLURAL, raw_resource(7))
    store.put(PLURAL, raw_resource(8))
    seen = store.observe(KEY)
    assert seen is not None
    assert seen.resource.resource_version == "8"


@pytest.mark.parametrize("kind", RAWS)
def test_what_was_deleted_does_not_come_back(store: Store, kind: str) -> None:
    filled(store)
    assert store.remove(kind, RAWS[kind](8)) == {KEY}
    assert store.put(kind, RAWS[kind](7)) == set(), "the late answer to a write"
    assert store.remove(kind, RAWS[kind](8)) == set()
    seen = store.observe(KEY)
    if seen:
        assert not {"jobs": seen.jobs, "pods": seen.pods}[kind]
    else:
        assert kind == PLURAL


def test_a_resource_of_the_same_name_is_another(store: Store) -> None:
    filled(store)
    assert store.put(PLURAL, raw_resource(20, uid="next")) == {KEY}
    assert store.put(PLURAL, raw_resource(8, suspend=True)) == set(), "a late answer about the earlier one"
    seen = store.observe(KEY)
    assert seen is not None
    assert seen.resource.uid == "next"
    assert [job.uid for job in seen.orphans] == [raw_job()["metadata"]["uid"]]
    store.remove(PLURAL, raw_resource(19))
    assert store.observe(KEY) is not None, "the event of the earlier one's end"


def test_a_list_forgets_what_it_does_not_have(store: Store) -> None:
    filled(store)
    store.put("pods", raw_pod(7, name="garden-y"))
    store.put("pods", raw_pod(7, key=FAR, name="far-x"))
    assert store.keep_only("pods", "elsewhere", set(), "50") == set()
    assert store.keep_only("pods", "default", {"uid-of-garden-y"}, "50") == {KEY}
    seen = store.observe(KEY)
    assert seen is not None
    assert [pod.name for pod in seen.pods] == ["garden-y"]
    assert store.keep_only("pods", None, {"uid-of-garden-y"}, "50") == {FAR}
    assert store.keep_only("pods", None, {"uid-of-garden-y"}, "50") == set()


def test_what_a_list_did_not_have_does_not_come_back(store: Store) -> None:
    filled(store)
    store.keep_only("pods", None, set(), "50")
    assert store.put("pods", raw_pod(49)) == set()


def test_an_object_that_is_selected_again_is_seen_again(store: Store) -> None:
    """Whoever takes the label away that is watched makes a watch tell of a deletion, at the version of that change."""
    filled(store)
    store.remove("jobs", raw_job(8))
    assert store.put("jobs", raw_job(9)) == {KEY}


@pytest.mark.parametrize("kind", RAWS)
def test_news_that_an_object_was_away_does_not_remove_it_once_it_is_back(store: Store, kind: str) -> None:
    """Its label was taken away at version 8; the answer to the write that gave it back is faster than the watch."""
    filled(store).put(kind, RAWS[kind](9))
    assert store.remove(kind, RAWS[kind](8)) == set()
    assert store.keep_only(kind, None, set(), "8") == set()
    seen = store.observe(KEY)
    assert seen is not None
    assert (len(seen.jobs), len(seen.pods)) == (1, 1)
    assert store.remove(kind, RAWS[kind](10)) == {KEY}


def test_another_releases_resources_are_left_out(store: Store) -> None:
    assert store.put(PLURAL, raw_resource(managedBy="example.com/other")) == set()
    assert store.observe(KEY) is None
    assert (store.namespaces(), store.phases()) == (set(), {})
    theirs = Store("example.com/other")
    assert theirs.put(PLURAL, raw_resource(managedBy="example.com/other")) == {KEY}


def test_an_object_without_the_label_is_about_nothing(store: Store) -> None:
    raw = raw_job()
    del raw["metadata"]["labels"][LABEL_COMPRESSION]
    assert store.put("jobs", raw) == set()
    assert store.remove("jobs", raw) == set()


@pytest.mark.parametrize("kind", ["jobs", "pods"])
def test_an_object_that_loses_the_label_is_seen_no_more(store: Store, kind: str) -> None:
    """Its later changes would not be noticed; the API server, which is asked then, knows whether it is there."""
    filled(store)
    bare = RAWS[kind](8)
    del bare["metadata"]["labels"][LABEL_COMPRESSION]
    assert store.put(kind, bare) == {KEY}
    assert is_behind(store)
    seen = store.observe(KEY)
    assert seen is not None
    assert not {"jobs": seen.jobs, "pods": seen.pods}[kind]
    assert store.put(kind, RAWS[kind](10)) == {KEY}, "it may get the label back"
    bare["metadata"]["resourceVersion"] = "9"
    assert store.put(kind, bare) == set(), "which is told out of order"


class TestBehind:
    """Whether there may be Jobs or pods that were not seen."""

    def test_a_new_resource_is_all_there_is(self, store: Store) -> None:
        store.put(PLURAL, raw_resource())
        assert not is_behind(store)

    @pytest.mark.parametrize("kind", ["jobs", "pods"])
    def test_where_there_is_something_there_may_be_more(self, store: Store, kind: str) -> None:
        store.put(PLURAL, raw_resource())
        store.put(kind, RAWS[kind]())
        assert is_behind(store)

    def test_a_status_that_names_a_job(self, store: Store) -> None:
        store.put(PLURAL, raw_resource(status={"jobName": "garden-0123456789"}))
        assert is_behind(store)

    @pytest.mark.parametrize("kind", ["jobs", "pods"])
    def test_a_departure_is_remembered_for_a_while(self, store: Store, clock: Clock, kind: str) -> None:
        """The end of a Job may be known before that of its pods, or before that of the resource that it was of."""
        store.put(kind, RAWS[kind]())
        store.remove(kind, RAWS[kind](8))
        store.put(PLURAL, raw_resource(uid="next"))
        clock.now_s += DEPARTED_S - 1
        assert is_behind(store)
        clock.now_s += 2
        assert not is_behind(store)

    def test_another_departure_forgets_those_that_are_long_past(self, store: Store, clock: Clock) -> None:
        for number in range(3):
            store.put("pods", raw_pod(key=Key("default", str(number)), name=str(number)))
            store.remove("pods", raw_pod(key=Key("default", str(number)), name=str(number)))
            clock.now_s += DEPARTED_S * 0.7
        assert len(store._departed) == 2

    def test_a_process_that_takes_over_doubts_everything_for_a_while(self, store: Store, clock: Clock) -> None:
        store.put(PLURAL, raw_resource())
        store.doubt()
        assert is_behind(store)
        clock.now_s += DOUBT_S
        assert not is_behind(store)

    def test_a_request_without_an_answer_makes_one_resource_doubtful(self, store: Store, clock: Clock) -> None:
        store.put(PLURAL, raw_resource())
        store.doubt(TWIN)
        assert not is_behind(store)
        store.doubt(KEY)
        assert is_behind(store)
        clock.now_s += DEPARTED_S
        assert not is_behind(store)


def test_a_job_that_the_operator_deletes_is_on_its_way_out_at_once(store: Store) -> None:
    filled(store)
    store.mark_deleted(KEY, raw_job()["metadata"]["uid"])
    store.mark_deleted(KEY, "another")
    store.mark_deleted(TWIN, "another")
    seen = store.observe(KEY)
    assert seen is not None
    assert [job.is_deleting for job in seen.jobs] == [True]


def test_an_event_from_before_that_does_not_take_it_back(store: Store) -> None:
    filled(store)
    store.mark_deleted(KEY, raw_job()["metadata"]["uid"])
    store.put("jobs", raw_job(8, failed=1))
    seen = store.observe(KEY)
    assert seen is not None
    assert [(job.is_deleting, job.failed_pods) for job in seen.jobs] == [(True, 1)]
    store.remove("jobs", raw_job(9))
    store.put("jobs", raw_job(10, uid="next"))
    seen = store.observe(KEY)
    assert seen is not None
    assert [job.is_deleting for job in seen.jobs] == [False]


def test_the_job_that_deletes_outputs_is_told_from_the_others(store: Store) -> None:
    filled(store)
    store.put("jobs", raw_cleanup())
    seen = store.observe(KEY)
    assert seen is not None
    assert seen.cleanup is not None
    assert (seen.cleanup.uid, len(seen.jobs)) == ("cleanup", 1)


def test_phases_are_counted_by_namespace(store: Store) -> None:
    store.put(PLURAL, raw_resource())
    store.put(PLURAL, raw_resource(key=TWIN, uid="twin", status={"phase": "Running"}))
    store.put(PLURAL, raw_resource(key=FAR, uid="far", status={"phase": "Succeeded"}))
    assert store.phases() == {("default", "Pending"): 1, ("default", "Running"): 1, ("far", "Succeeded"): 1}
    assert store.namespaces() == {"default", "far"}
    store.put(PLURAL, raw_resource(8, key=FAR, uid="far", status={"phase": "Failed"}))
    store.remove(PLURAL, raw_resource(8, key=TWIN, uid="twin"))
    assert store.phases() == {("default", "Pending"): 1, ("far", "Failed"): 1}


def test_those_who_write_to_one_object_learn_of_each_other(store: Store) -> None:
    store.put(PLURAL, raw_resource())
    assert store.put(PLURAL, raw_resource(key=FAR, uid="far")) == {KEY, FAR}
    assert store.put(PLURAL, raw_resource(key=TWIN, uid="twin")) == {KEY, FAR, TWIN}
    seen = store.observe(KEY)
    assert seen is not None
    assert seen.same_destination == (TWIN, FAR)
    elsewhere = raw_resource(8, key=TWIN, uid="twin", destination={"uri": "s3://scenes/elsewhere/"})
    assert store.put(PLURAL, elsewhere) == {KEY, FAR, TWIN}
    assert store.remove(PLURAL, raw_resource(8, key=FAR, uid="far")) == {KEY, FAR}
    seen = store.observe(KEY)
    assert seen is not None
    assert seen.same_destination == ()


@pytest.mark.parametrize("kind", ["jobs", "pods"])
def test_an_object_that_gets_another_label_is_the_other_resources(store: Store, kind: str) -> None:
    filled(store)
    moved = RAWS[kind](8)
    moved["metadata"]["labels"][LABEL_COMPRESSION] = TWIN.name
    assert store.put(kind, moved, is_change=True) == {KEY, TWIN}
    seen = store.observe(KEY)
    assert seen is not None
    assert (len(seen.jobs), len(seen.pods)) == ((0, 1) if kind == "jobs" else (1, 0))
    assert store.put(kind, RAWS[kind](9), is_change=True) == {KEY, TWIN}, "and back"
