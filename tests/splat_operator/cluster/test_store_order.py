"""Watches, lists and answers to writes overtake each other: whatever the order, the newest of all is what is kept."""

from __future__ import annotations

import copy
import operator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compressions import KEY
from raw_objects import COMPLETE, raw_job, raw_pod, raw_resource
from splat_operator.api.names import DEFAULT_CONTROLLER, PLURAL
from splat_operator.cluster.parsing import assemble, parse_resource
from splat_operator.cluster.store import Store

RAWS: dict[str, Any] = {PLURAL: raw_resource, "jobs": raw_job, "pods": raw_pod}
STATES = [{}, {"active": 1}, {"failed": 1}, COMPLETE]
Step = tuple[str, str, int, bool]


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Puts and removals of objects (kind, UID, version, is removed), in any order; later incarnations are newer."""
    steps: list[Step] = []
    for kind in RAWS:
        version = draw(st.integers(1, 12))
        for uid in (f"{kind}-1", f"{kind}-2"):
            for _ in range(draw(st.integers(0, 3))):
                version += draw(st.integers(1, 50))
                steps.append((kind, uid, version, False))
            version += 1
            # A resource goes before there is another of its name.
            if draw(st.booleans()) or uid == f"{PLURAL}-1":
                steps.append((kind, uid, version, True))
    return draw(st.permutations(steps))


def at_version(kind: str, uid: str, version: int) -> dict[str, Any]:
    raw: dict[str, Any] = raw_pod(version, name=uid) if kind == "pods" else RAWS[kind](version, uid=uid)
    raw["metadata"]["uid"] = uid
    raw["status"] = copy.deepcopy(STATES[version % 4]) if kind == "jobs" else {"phase": f"Phase{version % 3}"}
    return raw


@settings(max_examples=200)
@given(histories())
def test_any_order_ends_with_the_newest_of_what_is_there(history: list[Step]) -> None:
    store = Store(DEFAULT_CONTROLLER)
    for kind, uid, version, is_removed in history:
        before = store.observe(KEY)
        news = (store.remove if is_removed else store.put)(kind, at_version(kind, uid, version))
        after = store.observe(KEY)
        assert news or _of_one_version(before) == _of_one_version(after), "a change that nobody was told of"
    gone = {uid for _, uid, _, is_removed in history if is_removed}
    newest = {uid: (kind, version) for kind, uid, version, _ in sorted(history, key=operator.itemgetter(2))}
    there = [at_version(kind, uid, version) for uid, (kind, version) in newest.items() if uid not in gone]
    left = {kind: [raw for raw in there if raw["metadata"]["uid"].startswith(kind)] for kind in RAWS}
    seen = store.observe(KEY)
    assert bool(seen) == bool(left[PLURAL])
    if seen:
        expected = assemble(parse_resource(left[PLURAL][-1]), left["jobs"], left["pods"])
        assert seen.resource == expected.resource
        assert set(seen.jobs + seen.orphans) == set(expected.jobs + expected.orphans)
        assert set(seen.pods) == set(expected.pods)


def _of_one_version(seen: Any) -> Any:
    """What is seen, but for the version of the resource, which is no news."""
    if seen is None:
        return None
    status, parts = seen.resource.status, (seen.resource.uid, seen.resource.spec)
    return status, parts, set(seen.jobs), set(seen.orphans), set(seen.pods), seen.is_behind
