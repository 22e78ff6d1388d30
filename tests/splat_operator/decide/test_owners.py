"""Jobs whose owner is not the resource as it is now: an earlier one of that name, or nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from compressions import condition, decide, job, name_of, observed, of_type, resource, running_pod, settled, written
from splat_operator.api.model import Action, AdoptJob, CreateJob, DeleteJob, Job, Observed, Pod, WriteStatus

ELSE = "garden-0123456789"


def orphan(name: str = ELSE, **changes: Any) -> Job:
    return job(name=name, uid="earlier", is_owned=False, **changes)


def seen(left: Job, pods: Iterable[Pod] = ()) -> Observed:
    return replace(observed(pods=pods), orphans=(left,))


def is_waiting(actions: list[Action]) -> bool:
    return not of_type(actions, CreateJob) and condition(written(actions), "Ready")["reason"] == "Replacing"


ORPHANS: dict[str, tuple[Job, bool, bool]] = {
    "unfinished": (orphan(), True, True),
    "unfinished, of the wanted name": (orphan(name_of(resource())), True, True),
    "on its way out": (orphan(is_deleting=True), False, True),
    "finished": (orphan(is_complete=True), False, False),
    "finished, of the wanted name": (orphan(name_of(resource()), is_complete=True), True, True),
    "failed": (orphan(failure=("BackoffLimitExceeded", "")), False, False),
}


@pytest.mark.parametrize(("left", "is_deleted", "waits"), ORPHANS.values(), ids=ORPHANS)
def test_a_job_of_an_earlier_resource_goes_where_it_is_in_the_way(left: Job, is_deleted: bool, waits: bool) -> None:
    actions = decide(seen(left))
    assert of_type(actions, DeleteJob) == ([DeleteJob(left.name, "earlier")] if is_deleted else [])
    assert is_waiting(actions) == waits


def test_pods_of_an_earlier_resource_are_waited_for() -> None:
    assert is_waiting(decide(seen(orphan(is_complete=True), [running_pod(job_uid="earlier")])))
    assert is_waiting(decide(observed(pods=[running_pod(job_uid="gone")])))


def test_an_earlier_resources_job_goes_while_the_right_one_is_followed() -> None:
    actions = decide(replace(observed(jobs=[job()], pods=[running_pod()]), orphans=(orphan(),)))
    assert of_type(actions, DeleteJob) == [DeleteJob(ELSE, "earlier")]
    assert written(actions)["phase"] == "Running"


def test_a_job_that_lost_its_owner_is_adopted_and_followed() -> None:
    alone = job(is_owned=False)
    actions = decide(observed(jobs=[alone], pods=[running_pod()]))
    assert actions[0] == AdoptJob(alone.name, alone.uid)
    assert written(actions)["phase"] == "Running"
    assert not of_type(actions, (CreateJob, DeleteJob))


def test_one_that_is_another_by_now_is_deleted_and_not_adopted() -> None:
    actions = decide(observed(resource(preview=True), jobs=[job(is_owned=False)]))
    assert [type(action) for action in actions] == [DeleteJob, WriteStatus]


def test_the_outcome_of_a_run_deletes_what_an_earlier_spec_has_left() -> None:
    left = job(name=ELSE, uid="other")
    assert decide(observed(settled(), jobs=[left])) == [DeleteJob(ELSE, "other")]


def test_a_deleted_resource_stops_its_own_and_what_goes_on_of_earlier_ones() -> None:
    owner = replace(resource(deletionPolicy="Delete"), finalizers=("splats.dev/outputs",), deleted_at=job().created_at)
    going = replace(observed(owner, jobs=[job(is_owned=False)]), orphans=(orphan(),))
    assert {action.uid for action in of_type(decide(going), DeleteJob)} == {job().uid, "earlier"}
    over = replace(going, jobs=(), orphans=(orphan(is_complete=True),))
    assert of_type(decide(over), CreateJob), "what is over is no run to wait for"
