"""Books by watch events: what succeeded, what was lost, what was doubled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.operator import ledger as ledgers
from benchmarks.operator.ledger import Ledger, find_faults


def resource(name: str, phase: str = "", message: str = "") -> dict[str, Any]:
    conditions = [{"type": "Reconciling"}, {"type": "Ready", "message": message}]
    status = {"phase": phase, "conditions": conditions} if phase else {}
    return {"type": "MODIFIED", "object": {"metadata": {"name": name}, "status": status}}


def owned(uid: str, *, owner: str, owner_uid: str = "", event_type: str = "ADDED") -> dict[str, Any]:
    metadata = {"uid": uid, "ownerReferences": [{"name": owner, "uid": owner_uid}]}
    return {"type": event_type, "object": {"metadata": metadata}}


def finish(ledger: Ledger, name: str, now_s: float = 5.0) -> None:
    """Tell of a resource that succeeded with one Job and one pod."""
    job = f"job-of-{name}"
    ledger.tell("resources", resource(name), now_s - 3)
    ledger.tell("jobs", owned(job, owner=name), now_s - 2)
    ledger.tell("pods", owned(f"pod-of-{name}", owner=job, owner_uid=job), now_s - 1)
    ledger.tell("resources", resource(name, "Succeeded"), now_s)


@pytest.fixture
def ledger() -> Ledger:
    """Give books of two resources that went well."""
    made = Ledger()
    finish(made, "garden")
    finish(made, "meadow")
    return made


def test_what_went_well_has_no_fault(ledger: Ledger) -> None:
    assert find_faults(ledger, ["garden", "meadow"]) == []
    assert (ledger.job_at["garden"], ledger.succeeded_at["garden"]) == (3.0, 5.0)


def test_the_first_time_counts(ledger: Ledger) -> None:
    ledger.tell("resources", resource("garden", "Succeeded"), 9.0)
    ledger.tell("jobs", owned("job-of-garden", owner="garden", event_type="MODIFIED"), 9.0)
    assert (ledger.job_at["garden"], ledger.succeeded_at["garden"]) == (3.0, 5.0)


def test_a_phase_is_counted_once() -> None:
    ledger = Ledger()
    for phase in ("", "Pending", "Pending", "Running"):
        ledger.tell("resources", resource("garden", phase), 1.0)
    ledger.tell("resources", resource("meadow"), 1.0)
    assert ledger.counts["Running"] == 1
    assert ledger.summary() == "1 without a phase, 1 Running"


@pytest.mark.parametrize(
    ("kind", "event", "fault"),
    [
        pytest.param(
            "jobs", owned("another", owner="garden"), "1 resources have more than one Job, such as garden", id="doubled"
        ),
        pytest.param(
            "pods",
            owned("another", owner="job-of-garden", owner_uid="job-of-garden"),
            "1 resources have a Job that did not have one pod, such as garden",
            id="a second pod",
        ),
        pytest.param(
            "jobs",
            owned("job-of-garden", owner="garden", event_type="DELETED"),
            "1 resources lost their Job, such as garden",
            id="deleted",
        ),
        pytest.param(
            "resources", resource("garden", "Running"), "1 resources did not succeed, such as garden", id="runs again"
        ),
        pytest.param(
            "jobs",
            owned("another", owner="desert"),
            "1 resources have Jobs without having been made, such as desert",
            id="nobody's",
        ),
    ],
)
def test_a_fault_is_a_sentence(ledger: Ledger, kind: str, event: dict[str, Any], fault: str) -> None:
    ledger.tell(kind, event, 9.0)
    assert fault in find_faults(ledger, ["garden", "meadow"])


def test_one_that_nobody_took_up_is_lost(ledger: Ledger) -> None:
    ledger.tell("resources", resource("desert"), 9.0)
    assert find_faults(ledger, ["desert", "garden", "meadow"]) == [
        "1 resources did not succeed, such as desert",
        "1 resources have no Job, such as desert",
    ]


def test_it_waits_for_the_event_that_makes_it_true() -> None:
    async def wait() -> Ledger:
        ledger = Ledger()
        waiting = asyncio.create_task(ledger.wait_until("Two", lambda: len(ledger.succeeded_at) == 2))
        for name in ("garden", "meadow"):
            await asyncio.sleep(0)
            assert not waiting.done()
            finish(ledger, name)
        await asyncio.wait_for(waiting, 5)
        return ledger

    assert asyncio.run(wait()).counts["Succeeded"] == 2


def test_a_failed_resource_ends_the_wait_in_its_own_words() -> None:
    ledger = Ledger()
    ledger.tell("resources", resource("garden", "Failed", "The source is missing."), 1.0)
    with pytest.raises(BenchmarkError, match=r"1 resources have failed, such as garden: The source is missing\."):
        asyncio.run(ledger.wait_until("Success", lambda: False))


def test_where_nothing_happens_the_wait_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "STALL_S", 0.05)
    ledger = Ledger()
    ledger.tell("resources", resource("garden", "Pending"), 1.0)
    with pytest.raises(BenchmarkError, match=r"Success: nothing has happened for 0 s; 1 Pending"):
        asyncio.run(ledger.wait_until("Success", lambda: False))
