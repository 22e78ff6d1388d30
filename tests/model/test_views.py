"""The real store is what the model takes it for, however events and answers come.

Of each kind it has what there was at some moment, which never goes back, and the answers to the operator's own writes
since. A Job that the operator has deleted is never seen again as one that goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from compressions import KEY, SETTINGS, SPEC
from model.cluster import LABELS, Raw
from splat_operator.api.model import Job, Key, Observed
from splat_operator.api.names import PLURAL
from splat_operator.api.spec import Json
from splat_operator.cluster.parsing import assemble, parse_resource
from splat_operator.cluster.paths import APIS, JOBS, PODS
from splat_operator.cluster.store import Store, key_of

KINDS = tuple(APIS)
NUMBERS = st.integers(0, 2)


class Cluster:
    """The API server's objects of each kind, at all their versions."""

    def __init__(self) -> None:
        self.version = 1
        self.states: dict[str, list[tuple[int, dict[str, Raw]]]] = {kind: [(1, {})] for kind in KINDS}
        """Of each kind the version as of which there are these objects, by their UIDs."""

    def now(self, kind: str) -> dict[str, Raw]:
        """What there is."""
        return self.states[kind][-1][1]

    def at(self, kind: str, version: int) -> dict[str, Raw]:
        """What there was at that version."""
        return [objects for since, objects in self.states[kind] if since <= version][-1]

    def write(self, kind: str, raw: Raw | None, uid: str) -> Raw | None:
        """Make or change an object, or remove it; returns it at its new version."""
        self.version += 1
        others = {each: other for each, other in self.now(kind).items() if each != uid}
        written = _at(raw, str(self.version)) if raw else None
        self.states[kind].append((self.version, others | ({uid: written} if written else {})))
        return written


class Views(RuleBasedStateMachine):
    """The cluster changes, the operator writes, watches bring what they bring; the store must have what it should."""

    store_type: type[Store] = Store

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()
        self.store = self.store_type(SETTINGS.controller_name, clock=lambda: 0.0)
        self.heard = dict.fromkeys(KINDS, 1)
        """The version up to which each kind's watch has brought changes."""
        self.under_way: list[tuple[str, Raw]] = []
        """Answers to the operator's writes that have not come yet: a watch may be faster."""
        self.answers: list[tuple[str, Raw]] = []
        self.deleted: set[str] = set()
        """UIDs of Jobs that the operator has deleted while its store had them."""

    @rule(kind=st.sampled_from(KINDS))
    def make(self, kind: str) -> None:
        if kind == PLURAL and self.cluster.now(PLURAL):
            return
        self._write(kind, f"{kind}-{self.cluster.version}", _new(kind))

    @rule(kind=st.sampled_from(KINDS), number=NUMBERS)
    def change(self, kind: str, number: int) -> None:
        self._change(kind, number, _progress)

    @rule(number=NUMBERS)
    def relabel(self, number: int) -> None:
        """Somebody takes a Job's labels away, or gives them back."""
        self._change(JOBS, number, lambda raw: _labelled(raw, {} if raw["metadata"]["labels"] else LABELS))

    @rule(kind=st.sampled_from(KINDS), number=NUMBERS)
    def remove(self, kind: str, number: int) -> None:
        self._change(kind, number, lambda _: None)

    @rule(kind=st.sampled_from((PLURAL, JOBS)), number=NUMBERS)
    def write(self, kind: str, number: int) -> None:
        """The operator changes an object; its labels are there then."""
        raw = self._change(kind, number, lambda raw: _labelled(_progress(raw), LABELS))
        if raw:
            self.under_way.append((kind, raw))

    @rule()
    def write_new(self) -> None:
        """The operator makes a Job."""
        self.under_way.append((JOBS, self._write(JOBS, f"own-{self.cluster.version}", _new(JOBS))))

    @precondition(lambda self: self.under_way)
    @rule()
    def answer(self) -> None:
        """The answer to the first of the operator's writes comes."""
        kind, raw = self.under_way.pop(0)
        self.answers.append((kind, raw))
        self.store.put(kind, raw)

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        """The operator deletes a Job that it sees."""
        seen = sorted(self._view(JOBS))
        if seen:
            uid = seen[number % len(seen)]
            if uid in self.cluster.now(JOBS):
                self.cluster.write(JOBS, None, uid)
            self.deleted.add(uid)
            self.store.mark_deleted(KEY, uid)

    @rule(kind=st.sampled_from(KINDS))
    def hear(self, kind: str) -> None:
        """A watch brings the next change."""
        changes = [(since, objects) for since, objects in self.cluster.states[kind] if since > self.heard[kind]]
        if not changes:
            return
        version, objects = changes[0]
        before, after = _selected(self.cluster.at(kind, self.heard[kind])), _selected(objects)
        self.heard[kind] = version
        for raw in after.values():
            if raw["metadata"]["resourceVersion"] == str(version):
                self.store.put(kind, raw)
        for uid in before.keys() - after.keys():
            self.store.remove(kind, _at(before[uid], str(version)))

    @precondition(lambda self: not self.under_way)
    @rule(kind=st.sampled_from(KINDS))
    def list(self, kind: str) -> None:
        """A kind is listed anew. What is deleted before that, and its making answered after it, would stay for long."""
        there = _selected(self.cluster.now(kind))
        self.heard[kind] = self.cluster.version
        for raw in there.values():
            self.store.put(kind, raw)
        self.store.keep_only(kind, None, set(there), str(self.cluster.version))

    @precondition(lambda self: self._view(PLURAL))
    @invariant()
    def has_what_it_should(self) -> None:
        views = {kind: list(self._view(kind).values()) for kind in KINDS}
        resource = max(views[PLURAL], key=lambda raw: int(raw["metadata"]["resourceVersion"]))
        expected = assemble(parse_resource(resource), views[JOBS], views[PODS])
        seen = self.store.observe(KEY)
        assert seen is not None
        assert seen.resource == expected.resource
        marked = {uid: replace(job, is_deleting=uid in self.deleted) for uid, job in _jobs(expected).items()}
        assert _jobs(seen) == marked
        assert {pod.name: pod for pod in seen.pods} == {pod.name: pod for pod in expected.pods}

    def _view(self, kind: str) -> dict[str, Raw]:
        """What the store should have: what its watch has brought, and later answers."""
        heard = self.heard[kind]
        own = [raw for other, raw in self.answers if other == kind and int(raw["metadata"]["resourceVersion"]) > heard]
        return _selected(self.cluster.at(kind, heard)) | {raw["metadata"]["uid"]: raw for raw in own}

    def _change(self, kind: str, number: int, change: Callable[[Raw], Raw | None]) -> Raw | None:
        there = sorted(self.cluster.now(kind))
        if not there:
            return None
        uid = there[number % len(there)]
        return self.cluster.write(kind, change(self.cluster.now(kind)[uid]), uid)

    def _write(self, kind: str, uid: str, raw: Raw) -> Raw:
        named = {**raw["metadata"], "uid": uid, **({} if kind == PLURAL else {"name": uid})}
        written = self.cluster.write(kind, {**raw, "metadata": named}, uid)
        assert written
        return written


def _jobs(observed: Observed) -> dict[str, Job]:
    return {job.uid: job for job in (*observed.jobs, *observed.orphans)}


def _new(kind: str) -> Raw:
    meta: dict[str, Any] = {"name": KEY.name, "namespace": KEY.namespace, "labels": LABELS}
    meta["creationTimestamp"] = "2026-01-01T12:00:00Z"
    if kind == JOBS:
        meta["annotations"] = {"splats.dev/compression-uid": "uid"}
    return {"metadata": meta, "spec": dict(SPEC) if kind == PLURAL else {}, "status": {}}


def _progress(raw: Raw) -> Raw:
    """Another status than before."""
    number = raw["status"].get("failed", 0) + 1
    return {**raw, "status": {"failed": number, "reason": str(number), "phase": "Running"}}


def _labelled(raw: Raw, labels: dict[str, str]) -> Raw:
    return {**raw, "metadata": {**raw["metadata"], "labels": labels}}


def _selected(objects: dict[str, Raw]) -> dict[str, Raw]:
    return {uid: raw for uid, raw in objects.items() if raw["metadata"]["labels"]}


TestViews = Views.TestCase
TestViews.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


class TakesWhatComesLast(Store):
    """Takes an older object for news."""

    def put(self, kind: str, raw: Json) -> set[Key]:
        key = key_of(kind, raw)
        return (self._drop(kind, key, raw["metadata"]["uid"]) if key else set()) | super().put(kind, raw)


class ForgetsWhatIsGone(Store):
    """Lets the answer to an earlier write bring back what is gone."""

    def remove(self, kind: str, raw: Json) -> set[Key]:
        return super().remove(kind, _at(raw, "0"))


class BelievesInNoReturn(Store):
    """Never takes again what has once left its lists, as a Job does that has lost its labels."""

    def remove(self, kind: str, raw: Json) -> set[Key]:
        return super().remove(kind, _at(raw, "999999"))


class ForgetsDeletions(Store):
    """Does not note what the operator has deleted."""

    def mark_deleted(self, key: Key, uid: str) -> None:
        pass


Steps = Callable[[Views], object]

_A_JOB: tuple[Steps, ...] = (
    lambda views: views.make(PLURAL),
    lambda views: views.hear(PLURAL),
    lambda views: views.make(JOBS),
    lambda views: views.hear(JOBS),
)
FAULTS: dict[type[Store], tuple[Steps, ...]] = {
    TakesWhatComesLast: (
        lambda views: views.write(JOBS, 0),
        lambda views: views.change(JOBS, 0),
        lambda views: views.hear(JOBS),
        lambda views: views.hear(JOBS),
        lambda views: views.answer(),
    ),
    ForgetsWhatIsGone: (
        lambda views: views.write(JOBS, 0),
        lambda views: views.remove(JOBS, 0),
        lambda views: views.hear(JOBS),
        lambda views: views.hear(JOBS),
        lambda views: views.answer(),
    ),
    BelievesInNoReturn: (
        lambda views: views.relabel(0),
        lambda views: views.hear(JOBS),
        lambda views: views.relabel(0),
        lambda views: views.hear(JOBS),
    ),
    ForgetsDeletions: (lambda views: views.delete(0),),
}
"""Stores that would be found out, each by what happens to a Job that they know."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_store_is_found(fault: type[Store]) -> None:
    for store_type in (Store, fault):
        views = type("Views", (Views,), {"store_type": store_type})()
        for step in (*_A_JOB, *FAULTS[fault]):
            step(views)
        if store_type is Store:
            views.has_what_it_should()
    with pytest.raises(AssertionError):
        views.has_what_it_should()


def _at(raw: Json, version: str) -> Raw:
    return {**raw, "metadata": {**raw["metadata"], "resourceVersion": version}}
