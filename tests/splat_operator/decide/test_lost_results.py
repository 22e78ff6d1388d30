"""A complete Job whose pods were gone before their results were read runs once more, and then fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compressions import (
    at,
    condition,
    decide,
    events,
    failed_pod,
    job,
    observed,
    of_type,
    resource,
    running_pod,
    stored,
    succeeded_pod,
    written,
)
from splat_operator.api.model import CountFinish, CreateJob, DeleteJob, Observed, Pod, Requeue, Resource

DONE = job(is_complete=True, finished_at=at(42))


def lost(owner: Resource | None = None, **changes: Any) -> Observed:
    return observed(owner, jobs=[replace(DONE, **changes)])


def repeated() -> Resource:
    """After the first loss."""
    return resource(status=stored(written(decide(lost()))))


def made_again() -> Resource:
    """After the second Job was made."""
    return replace(repeated(), status=stored(written(decide(observed(repeated())))))


@pytest.mark.parametrize(
    "pods",
    [[], [succeeded_pod(job_uid="another")], [failed_pod(69)]],
    ids=["gone", "another Job's", "only a failed one is left"],
)
def test_it_runs_once_more(pods: list[Pod]) -> None:
    actions = decide(observed(jobs=[DONE], pods=pods))
    assert actions[0] == DeleteJob(DONE.name, DONE.uid)
    assert not of_type(actions, (CountFinish, CreateJob, Requeue))
    status = written(actions)
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Pending", "ResultMissing")
    assert status["failures"][-1]["reason"] == "ResultMissing"
    assert ("Warning", "ResultMissing") in events(actions)


def test_nothing_is_forgotten_while_the_job_is_on_its_way_out() -> None:
    """That one repeat was made must be known to the next run, or there would be no end."""
    assert decide(lost(repeated(), is_deleting=True)) == []
    assert decide(replace(observed(repeated()), pods=(running_pod(is_deleting=True),))) == []


def test_then_the_job_is_made_again_without_blaming_anybody() -> None:
    actions = decide(observed(repeated()))
    assert of_type(actions, CreateJob)
    status = written(actions)
    assert condition(status, "Ready")["reason"] == "Created"
    assert [entry["reason"] for entry in status["failures"]] == ["ResultMissing"]
    assert events(actions) == []


def test_a_second_loss_is_a_failure() -> None:
    actions = decide(lost(made_again(), uid="second"))
    status = written(actions)
    assert (status["phase"], condition(status, "Stalled")["reason"]) == ("Failed", "ResultMissing")
    assert of_type(actions, CountFinish) == [CountFinish("Failed", "ResultMissing")]
    assert not of_type(actions, DeleteJob)
    over = replace(made_again(), status=stored(status))
    assert decide(lost(over, uid="second")) == []


def test_a_result_that_is_read_the_second_time_is_a_success() -> None:
    done = replace(DONE, uid="second")
    actions = decide(observed(made_again(), jobs=[done], pods=[succeeded_pod(job_uid="second")]))
    assert written(actions)["phase"] == "Succeeded"


def test_a_loss_among_many_failures_is_remembered() -> None:
    """The record keeps five entries, of which this is the latest."""
    pods = [failed_pod(69, name=f"garden-{number}", created_at=at(number)) for number in range(9)]
    status = written(decide(observed(jobs=[DONE], pods=pods)))
    assert status["failures"][-1]["reason"] == "ResultMissing"
    assert len(status["failures"]) == 5


def test_a_suspended_one_runs_again_when_it_is_resumed() -> None:
    paused = resource(suspend=True)
    actions = decide(lost(paused))
    assert of_type(actions, DeleteJob) == [DeleteJob(DONE.name, DONE.uid)]
    assert written(actions)["phase"] == "Suspended"
    paused = replace(paused, status=stored(written(actions)))
    assert decide(lost(paused, is_deleting=True)) == []
    assert of_type(decide(observed(replace(resource(), status=paused.status))), CreateJob)
