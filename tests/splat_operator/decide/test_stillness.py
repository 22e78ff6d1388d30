"""Nothing is written or told twice: where nothing changes, the next pass finds nothing to say."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings

from compressions import at, decide, events, failed_pod, job, observed, of_type, resource, running_pod
from splat_operator.api.model import (
    Action,
    CountFinish,
    CountWait,
    EmitEvent,
    Observed,
    Pod,
    SetFinalizers,
    WriteStatus,
)

from .aftermath import applied
from .observations import looks

SAID = (WriteStatus, EmitEvent, CountFinish, CountWait)
EXAMPLES = 150


def said(actions: Iterable[Action]) -> list[Action]:
    return of_type(actions, SAID)


@settings(max_examples=EXAMPLES)
@given(looks())
def test_still_when_nothing_changes(seen: Observed) -> None:
    first = decide(seen)
    if of_type(first, SetFinalizers):  # That is a pass of its own.
        seen = applied(seen, first)
        first = decide(seen)
    assert said(decide(applied(seen, first))) == []


@settings(max_examples=EXAMPLES)
@given(looks(is_deleted=True))
def test_still_when_nothing_changes_about_a_resource_that_is_deleted(seen: Observed) -> None:
    """It comes to rest with the resource held for a stated reason, or with the finalizer gone; each is told once."""
    told: list[Action] = []
    for _ in range(3):
        actions = decide(seen)
        told += said(actions)
        seen = applied(seen, actions)
    assert said(decide(seen)) == []
    assert len(told) == len({repr(action) for action in told})
    assert len(of_type(told, WriteStatus)) <= 2


@pytest.mark.parametrize("count", [5, 6, 7, 40])
@pytest.mark.parametrize("gap_s", [0, 1], ids=["at one time", "one after the other"])
def test_more_failed_pods_than_are_recorded(count: int, gap_s: int) -> None:
    """What was cut from the record once made 6,660 Events in an hour, as it came back with each pass."""
    pods: list[Pod] = [
        failed_pod(69, name=f"garden-{number:02}", created_at=at(gap_s * number)) for number in range(count)
    ]
    seen = observed(resource(retries=100), jobs=[job(resource(retries=100))], pods=[*reversed(pods)])
    first = decide(seen)
    assert len(events(first)) <= 2 + 5
    for now in (0, 5, 3600):
        assert said(decide(applied(seen, first), now=at(now))) == []


def test_failed_pods_that_go_one_by_one_bring_none_back() -> None:
    owner = resource(retries=100)
    pods = [failed_pod(69, name=f"garden-{number:02}", created_at=at(number)) for number in range(9)]
    running = running_pod(name="garden-last", created_at=at(20))
    seen = observed(owner, jobs=[job(owner)], pods=[*pods, running])
    seen = applied(seen, decide(seen))
    for gone in range(1, 10):
        fewer = observed(seen.resource, jobs=seen.jobs, pods=[*pods[gone:], running])
        assert said(decide(fewer)) == []
