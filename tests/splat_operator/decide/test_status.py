"""When a status is final, when it is not worth writing, and what it takes over from the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compressions import (
    NOW,
    after,
    at,
    condition,
    decide,
    events,
    failed_pod,
    job,
    name_of,
    observed,
    of_type,
    pod,
    resource,
    running_pod,
    settled,
    stored,
    succeeded_pod,
    unschedulable_pod,
    written,
)
from splat_operator.api.model import Key, Observed, Pod, Requeue, WriteStatus
from splat_operator.decide.status import is_settled

OUTCOMES = {"success": settled().status, "failure": settled(failed_pod(69)).status}
NAME = name_of(resource())


def without(status: Any, kind: str) -> dict[str, Any]:
    return {**status, "conditions": [item for item in status["conditions"] if item["type"] != kind]}


def turned(status: Any, kind: str) -> dict[str, Any]:
    """With one condition saying the opposite."""
    opposite = {"True": "False", "False": "True"}
    conditions = [
        {**item, "status": opposite[item["status"]]} if item["type"] == kind else item for item in status["conditions"]
    ]
    return {**status, "conditions": conditions}


@pytest.mark.parametrize("status", OUTCOMES.values(), ids=OUTCOMES)
class TestSettled:
    """One field alone may have been written by anybody: a status by hand ends no run, and repeats none."""

    def test_all_agrees(self, status: Any) -> None:
        assert is_settled(status, NAME)
        assert not is_settled(status, "garden-0123456789"), "of another spec"

    @pytest.mark.parametrize("name", ["phase", "conditions", "completionTime", "jobName"])
    def test_a_part_is_missing(self, status: Any, name: str) -> None:
        assert not is_settled({key: value for key, value in status.items() if key != name}, NAME)

    @pytest.mark.parametrize("phase", ["Pending", "Queued", "Running", "Suspended", "Walking"])
    def test_another_phase(self, status: Any, phase: str) -> None:
        assert not is_settled({**status, "phase": phase}, NAME)

    def test_the_other_outcome(self, status: Any) -> None:
        other = {"Succeeded": "Failed", "Failed": "Succeeded"}
        assert not is_settled({**status, "phase": other[status["phase"]]}, NAME)

    @pytest.mark.parametrize("kind", ["Ready", "Reconciling", "Stalled"])
    def test_a_condition_disagrees(self, status: Any, kind: str) -> None:
        assert not is_settled(turned(status, kind), NAME)

    @pytest.mark.parametrize("kind", ["Ready", "Reconciling", "Stalled", "Scheduled"])
    def test_a_condition_is_missing(self, status: Any, kind: str) -> None:
        found = is_settled(without(status, kind), NAME)
        is_told_by_the_other = (status["phase"], kind) in (("Succeeded", "Stalled"), ("Failed", "Ready"))
        assert found == is_told_by_the_other


@pytest.mark.parametrize("changes", [{"phase": "Pending"}, {"completionTime": "soon"}, {"conditions": []}], ids=str)
def test_a_status_that_was_spoilt_is_made_whole_from_the_job(changes: dict[str, Any]) -> None:
    done = job(is_complete=True, finished_at=at(42))
    spoilt = resource(status=stored({**settled().status, **changes}))
    actions = decide(observed(spoilt, jobs=[done], pods=[succeeded_pod()]))
    assert is_settled(written(actions), NAME)
    assert written(actions)["outputs"]


PASSING: dict[str, list[Pod]] = {
    "no pod yet": [],
    "being made": [pod()],
    "ended, and its Job not yet": [succeeded_pod()],
    "failed for good, and its Job not yet": [failed_pod(66)],
}


@pytest.mark.parametrize("pods", PASSING.values(), ids=PASSING)
class TestPassing:
    """Steps that every run goes through, each of which would be a write and an event for everybody who watches."""

    made = after(observed())

    def test_they_are_not_written_while_they_are_short(self, pods: list[Pod]) -> None:
        assert not of_type(decide(observed(self.made, jobs=[job()], pods=pods), now=at(4)), WriteStatus)

    def test_they_are_written_with_what_else_is_new(self, pods: list[Pod]) -> None:
        edited = replace(self.made, generation=2)
        assert written(decide(observed(edited, jobs=[job()], pods=pods)))["observedGeneration"] == 2
        shared = replace(observed(self.made, jobs=[job()], pods=pods), same_destination=(Key("default", "twin"),))
        assert condition(written(decide(shared)), "DestinationShared")

    def test_they_are_written_where_nothing_was(self, pods: list[Pod]) -> None:
        assert written(decide(observed(jobs=[job()], pods=pods)))


@pytest.mark.parametrize(("pods", "reason"), [([], "WaitingForPod"), ([pod()], "Starting")])
def test_a_step_that_takes_long_is_told(pods: list[Pod], reason: str) -> None:
    seen = observed(after(observed()), jobs=[job()], pods=pods)
    assert of_type(decide(seen, now=at(1)), Requeue) == [Requeue(4)]
    actions = decide(seen, now=at(5))
    assert condition(written(actions), "Ready")["reason"] == reason
    assert events(actions) == []


def test_an_obstacle_is_told_at_once() -> None:
    seen = observed(after(observed()), jobs=[job()], pods=[unschedulable_pod("0/1 nodes")])
    assert condition(written(decide(seen)), "Ready")["reason"] == "Unschedulable"


def running(**changes: Any) -> Observed:
    return observed(after(observed(**changes)), jobs=[job()], pods=[running_pod()])


def test_the_start_is_the_jobs_and_outlives_it() -> None:
    status = written(decide(running()))
    assert status["startTime"] == "2026-01-01T12:00:00Z"
    lost = replace(running(), resource=resource(status=status), jobs=(job(started_at=None),))
    lost = replace(lost, pods=(unschedulable_pod("0/1 nodes"),))
    assert written(decide(lost))["startTime"] == status["startTime"]


def test_nothing_is_taken_over_from_another_jobs_status() -> None:
    other = {**settled(failed_pod(69)).status, "jobName": "garden-0123456789"}
    status = written(decide(observed(resource(status=other), jobs=[job(started_at=None)], pods=[running_pod()])))
    assert set(status) == {"observedGeneration", "phase", "conditions", "jobName"}


def test_only_a_failed_run_says_what_to_change() -> None:
    assert "retryOn" in settled(failed_pod(69)).status
    for seen in (observed(), running(), observed(jobs=[job(is_complete=True)], pods=[succeeded_pod()])):
        assert "retryOn" not in written(decide(seen))
    forbidden = observed(resource(podTemplate={"spec": {"hostNetwork": True}}))
    assert "retryOn" not in written(decide(forbidden)), "nothing has run, and each edit is judged anew"


class TestSharedDestination:
    """A warning that comes and goes with the company, whatever the run does."""

    twins = (Key("default", "twin"), Key("far", "secret-name"))

    @pytest.mark.parametrize(
        "owner", [resource(), settled(), settled(failed_pod(69))], ids=["new", "success", "failure"]
    )
    def test_it_is_told_and_taken_back(self, owner: Any) -> None:
        seen = observed(owner) if owner.status else running()
        shared = replace(seen, same_destination=self.twins)
        actions = decide(shared)
        told = condition(written(actions), "DestinationShared")
        assert "twin and 1 of other namespaces" in told["message"]
        assert "secret-name" not in told["message"]
        assert not [event for event in events(actions) if event[0] == "Warning"]
        alone = replace(seen, resource=replace(seen.resource, status=stored(written(actions))))
        assert not [item for item in written(decide(alone))["conditions"] if item["type"] == "DestinationShared"]

    def test_it_unsettles_nothing(self) -> None:
        shared = replace(observed(settled()), same_destination=self.twins)
        status = written(decide(shared))
        assert is_settled(status, NAME)
        assert decide(replace(shared, resource=resource(status=stored(status)))) == []


def test_an_end_that_the_job_does_not_tell_is_now() -> None:
    owner = resource(pendingDeadlineSeconds=60)
    seen = observed(owner, jobs=[job(owner)], pods=[unschedulable_pod("0/1 nodes")])
    status = written(decide(seen, now=at(60)))
    assert (status["completionTime"], status["duration"]) == ("2026-01-01T12:01:00Z", "1m0s")
    assert at(60) > NOW
