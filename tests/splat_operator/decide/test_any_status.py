"""Whoever has written a status, and whatever it is: no pass fails on it, and what is written is taken and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compressions import KEY, SPEC, UID, decide, of_type
from splat_operator.api.model import CountFinish, EmitEvent, Observed, WriteStatus
from splat_operator.cluster.events import build_event
from splat_operator.cluster.executor import merge_patch
from splat_operator.cluster.parsing import parse_resource
from splat_operator.decide.limits import MAX_TEXT
from splat_operator.decide.reconcile import unwritable
from splat_operator.runtime import metrics
from status_schema import faults, status_schema

from .aftermath import applied
from .observations import MOMENTS, looks

FIELDS = (*status_schema()["properties"], "unknown")
CONDITION = ("type", "status", "reason", "message", "lastTransitionTime", "observedGeneration")
FAILURE = ("pod", "reason", "exitCode", "message", "time")
WORDS = ("Ready", "Stalled", "True", "Failed", "ResultMissing", "2026-01-01T00:00:00Z", "2026-01-01", "x" * 50_000)

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(WORDS)
)
junk = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def lists_of(names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Elements with some of these fields, of any type, and with other things among them."""
    return st.lists(junk | st.dictionaries(st.sampled_from(names), junk, max_size=len(names)), max_size=4)


anything = junk | st.dictionaries(
    st.sampled_from(FIELDS), junk | lists_of(CONDITION) | lists_of(FAILURE), max_size=len(FIELDS)
)


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A whole status with some fields replaced, or anything at all."""
    if draw(st.booleans()):
        return draw(anything)
    status = dict(draw(looks()).resource.status)
    for name in draw(st.sets(st.sampled_from(FIELDS), max_size=2)):
        status[name] = draw(junk | lists_of(CONDITION) | lists_of(FAILURE))
    return status


def with_status(seen: Observed, status: Any) -> Observed:
    meta = {"name": KEY.name, "namespace": KEY.namespace, "uid": UID, "resourceVersion": "7"}
    read = parse_resource({"metadata": meta, "spec": SPEC, "status": status}).status
    return replace(seen, resource=replace(seen.resource, status=read))


def refused(before: Mapping[str, Any], status: Mapping[str, Any]) -> list[str]:
    """What the API server would refuse or drop of what is sent, but for fields that it cannot have had before."""
    sent = json.loads(json.dumps(merge_patch(before, status)))
    sound = {name: value for name, value in sent.items() if name not in before or not faults({name: before[name]})}
    return faults({name: value for name, value in sound.items() if value is not None})


@settings(max_examples=100)
@given(looks(), looks(is_deleted=True), spoiled())
def test_no_pass_fails_on_a_status(alive: Observed, deleted: Observed, status: Any) -> None:
    for seen in (with_status(alive, status), with_status(deleted, status)):
        after = seen
        for _ in range(2):
            actions = decide(after)
            for written in of_type(actions, WriteStatus):
                assert refused(after.resource.status, written.status) == []
            for event in of_type(actions, EmitEvent):
                json.dumps(build_event(after.resource, event)).encode()
            for finish in of_type(actions, CountFinish):
                metrics.record_finish(KEY.namespace, finish.result, finish.reason, finish.status)
            after = applied(after, actions)


@settings(max_examples=50)
@given(looks(), spoiled(), st.text(), st.sampled_from(MOMENTS))
def test_the_small_status_is_taken_whatever_was_there(seen: Observed, status: Any, words: str, now: Any) -> None:
    spoilt = with_status(seen, status)
    for written in of_type(unwritable(spoilt, words=words, reason="StatusRefused", now=now), WriteStatus):
        assert faults(written.status) == []
        assert len(str(written.status)) < MAX_TEXT * 4
        told = replace(spoilt, resource=replace(spoilt.resource, status=written.status))
        assert unwritable(told, words=words, reason="StatusRefused", now=now) == [], "it is written once"
