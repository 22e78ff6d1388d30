"""A resource that is deleted takes its outputs along if it says so, and is held no longer than that may take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from compressions import (
    NOW,
    SETTINGS,
    UID,
    at,
    condition,
    decide,
    failed_pod,
    job,
    observed,
    of_type,
    resource,
    running_pod,
    said,
    succeeded_pod,
    waiting_pod,
    written,
)
from splat_operator.api.model import (
    Action,
    CreateJob,
    DeleteJob,
    EmitEvent,
    Job,
    Observed,
    Requeue,
    Resource,
    SetFinalizers,
)
from splat_operator.api.names import ANNOTATION_RUN, FINALIZER, LABEL_CLEANUP
from splat_operator.decide.reconcile import refused

OTHER = "example.com/other"
CLEANUP = Job(name="garden-cleanup", uid="cleanup", created_at=NOW)


def held(**changes: Any) -> Resource:
    spec = {"deletionPolicy": "Delete", **changes.pop("spec", {})}
    return replace(resource(**spec), finalizers=(OTHER, FINALIZER), **changes)


def deleted(**changes: Any) -> Resource:
    return held(deleted_at=NOW, **changes)


def after(seen: Observed, actions: Sequence[Action]) -> Resource:
    return replace(seen.resource, status=written(actions))


def test_finalizer_comes_before_the_job() -> None:
    first = decide(observed(resource(deletionPolicy="Delete")))
    assert of_type(first, SetFinalizers) == [SetFinalizers((FINALIZER,))]
    assert not of_type(first, CreateJob)
    assert of_type(decide(observed(held())), CreateJob)


def test_the_job_that_deletes_is_looked_at_once_it_is_made() -> None:
    """Kueue's webhook may have suspended it, of which no watch tells, as it is the operator's own write."""
    actions = decide(observed(deleted()))
    assert of_type(actions, (CreateJob, Requeue))[0].manifest["metadata"]["labels"][LABEL_CLEANUP]
    assert of_type(actions, Requeue) == [Requeue(0)]


@pytest.mark.parametrize(
    ("owner", "finalizers"),
    [
        pytest.param(resource(), None, id="outputs stay"),
        pytest.param(held(spec={"deletionPolicy": "Retain"}), (OTHER,), id="outputs are to stay from now on"),
        pytest.param(resource(deletionPolicy="Delete", dryRun=True), None, id="no outputs"),
        pytest.param(held(spec={"dryRun": True}), None, id="outputs from before"),
    ],
)
def test_finalizer_is_there_as_long_as_it_is_needed(owner: Resource, finalizers: tuple[str, ...] | None) -> None:
    expected = [] if finalizers is None else [SetFinalizers(finalizers)]
    assert of_type(decide(observed(owner)), SetFinalizers) == expected


def test_run_is_stopped_first() -> None:
    for jobs, pods in (([job()], [running_pod()]), ([job(is_deleting=True)], []), ([], [running_pod()])):
        actions = decide(observed(deleted(), jobs=jobs, pods=pods))
        assert not of_type(actions, CreateJob)
        assert len(of_type(actions, DeleteJob)) == sum(not each.is_deleting for each in jobs)
        assert condition(written(actions), "Ready")["reason"] == "Deleting"


def test_a_job_deletes_and_has_no_owner_that_would_take_it_along() -> None:
    (created,) = of_type(decide(observed(deleted(spec={"parallelism": 2, "source": {"uri": "pvc://a/"}}))), CreateJob)
    manifest = created.manifest
    assert "ownerReferences" not in manifest["metadata"]
    assert manifest["metadata"]["labels"][LABEL_CLEANUP] == UID
    pod = manifest["spec"]["template"]
    assert json.loads(pod["metadata"]["annotations"][ANNOTATION_RUN])["operation"] == "delete"
    assert {volume["name"] for volume in pod["spec"]["volumes"]} == {"scratch", "run"}
    assert pod["spec"]["containers"][0]["resources"] == {}
    variables = {variable["name"] for variable in pod["spec"]["containers"][0]["env"]}
    assert "DESTINATION_AWS_ACCESS_KEY_ID" in variables
    assert "SOURCE_AWS_ACCESS_KEY_ID" not in variables
    assert manifest["spec"]["activeDeadlineSeconds"] == 600


def test_job_that_deletes_is_waited_for() -> None:
    actions = decide(replace(observed(deleted(), pods=[running_pod(job_uid="cleanup")]), cleanup=CLEANUP))
    assert not of_type(actions, (CreateJob, DeleteJob, SetFinalizers))


def test_resource_goes_when_that_is_done_and_told() -> None:
    seen = replace(observed(deleted()), cleanup=replace(CLEANUP, is_complete=True))
    first = decide(seen)
    assert [event.reason for event in of_type(first, EmitEvent)] == ["OutputsDeleted"]
    assert not of_type(first, SetFinalizers)
    then = decide(replace(seen, resource=after(seen, first)))
    assert then == [SetFinalizers((OTHER,))]


LEFT = {
    "failed": (
        replace(CLEANUP, failure=("PodFailurePolicy", "")),
        [failed_pod(77, said("NotPermitted", "s3://scenes: access denied."), job_uid="cleanup")],
        5,
        "access denied",
    ),
    "Secret is gone": (
        CLEANUP,
        [waiting_pod("CreateContainerConfigError", 'secret "s3" not found', job_uid="cleanup")],
        30,
        'secret "s3" not found',
    ),
    "too late": (CLEANUP, [running_pod(job_uid="cleanup")], 600, "took longer than the operator waits"),
    "run does not stop": (None, [running_pod(job_uid="elsewhere")], 600, "took longer than the operator waits"),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left_is_told_before_the_resource_goes(case: str) -> None:
    cleanup, pods, seconds, words = LEFT[case]
    seen = replace(observed(deleted(), pods=pods), cleanup=cleanup)
    first = decide(seen, now=at(seconds))
    assert words in condition(written(first), "Ready")["message"]
    then = decide(replace(seen, resource=after(seen, first)), now=at(seconds))
    (event,) = of_type(then, EmitEvent)
    assert (event.type, event.reason) == ("Warning", "OutputsLeft")
    assert words in event.message
    assert then[-1] == SetFinalizers((OTHER,))
    is_running = cleanup is not None and not cleanup.is_finished
    assert bool(of_type(then, DeleteJob)) == is_running, "a resource of this name that comes next may publish there"


def test_a_namespace_that_goes_is_not_held_up() -> None:
    seen = observed(deleted())
    words = "unable to create new content in namespace default because it is being terminated"
    status = written(refused(seen, code=403, words=words, is_final=True, now=NOW, settings=SETTINGS))
    assert condition(status, "Ready")["reason"] == "OutputsLeft"


def test_a_quota_is_waited_for_and_told() -> None:
    seen = observed(deleted())
    answer = refused(seen, code=403, words="exceeded quota", is_final=False, now=NOW, settings=SETTINGS)
    assert condition(written(answer), "Ready")["reason"] == "Deleting"
    late = refused(seen, code=403, words="exceeded quota", is_final=False, now=at(600), settings=SETTINGS)
    assert condition(written(late), "Ready")["reason"] == "OutputsLeft"
    assert "exceeded quota" in condition(written(late), "Ready")["message"]


def test_an_operator_that_was_away_deletes_all_the_same() -> None:
    assert of_type(decide(observed(deleted()), now=at(5000)), CreateJob)
    done = replace(observed(deleted()), cleanup=replace(CLEANUP, is_complete=True))
    assert condition(written(decide(done, now=at(5000))), "Ready")["reason"] == "OutputsDeleted"
    begun = replace(observed(deleted()), cleanup=replace(CLEANUP, created_at=at(5000)))
    assert condition(written(decide(begun, now=at(5001))), "Ready")["reason"] == "Deleting"


def test_what_the_worker_kept_is_told() -> None:
    said_so = succeeded_pod('{"version": 1, "deleted": 3, "kept": 2}', job_uid="cleanup")
    seen = replace(observed(deleted(), pods=[said_so]), cleanup=replace(CLEANUP, is_complete=True))
    ready = condition(written(decide(seen)), "Ready")
    assert ready["reason"] == "OutputsLeft"
    assert "stay: 2; objects deleted: 3" in ready["message"]


def test_forbidden_place_is_left_alone() -> None:
    seen = observed(deleted())
    status = written(decide(seen, settings=replace(SETTINGS, allowed_destinations=("s3://others/",))))
    assert condition(status, "Ready")["reason"] == "OutputsLeft"
    assert of_type(decide(seen, settings=replace(SETTINGS, allowed_sources=("s3://others/",))), CreateJob)


def test_job_that_deletes_has_the_pods_template_without_the_runs_containers() -> None:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"hostname": "x", "containers": [{"name": "worker", "tty": True}]},
    }
    (created,) = of_type(decide(observed(deleted(spec={"podTemplate": template}))), CreateJob)
    pod = created.manifest["spec"]["template"]
    assert pod["metadata"]["labels"]["a"] == "b"
    assert pod["spec"]["hostname"] == "x"
    assert "tty" not in pod["spec"]["containers"][0]


def test_policy_that_changed_lets_go_at_once() -> None:
    assert decide(observed(deleted(spec={"deletionPolicy": "Retain"}))) == [SetFinalizers((OTHER,))]
