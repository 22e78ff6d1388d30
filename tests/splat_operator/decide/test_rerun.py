"""A failure names what to do, and doing it runs again: the whole way from the failure to the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from compressions import (
    SETTINGS,
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
    said,
    settled,
    stored,
    succeeded_pod,
    unschedulable_pod,
    waiting_pod,
    written,
)
from splat_operator.api.model import (
    Container,
    CountFinish,
    CreateJob,
    DeleteJob,
    InitContainer,
    Job,
    Observed,
    Pod,
    Resource,
    WriteStatus,
)
from splat_operator.api.spec import parse_spec

MORE_MEMORY = {"resources": {"limits": {"memory": "32Gi"}}}
NO_NODE = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
MISSING = 'secret "s3-credentials" not found'
FETCH = {
    "name": "fetch",
    "image": "a",
    "resources": {"limits": {"memory": "2Gi"}},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
OOM_INIT = pod(phase="Failed", init=InitContainer("fetch", Container(exit_code=137, exit_reason="OOMKilled")))


def failed(reason: str, pods: list[Pod], **spec: Any) -> Observed:
    """The Job has failed for that reason of the Job controller's."""
    owner = resource(**spec)
    return observed(owner, jobs=[job(owner, failure=(reason, ""), failed_pods=1, finished_at=at(42))], pods=pods)


def stuck(waiting: Pod, **spec: Any) -> Observed:
    """The Job waits, and its time is over."""
    owner = resource(**spec)
    return replace(observed(owner, jobs=[job(owner)], pods=[waiting]), has_gpu_nodes=False)


REMEDIES: dict[str, tuple[Observed, str, dict[str, Any]]] = {
    "out of memory": (
        failed("BackoffLimitExceeded", [failed_pod(137, exit_reason="OOMKilled")]),
        "raise spec.resources.limits.memory",
        MORE_MEMORY,
    ),
    "init container out of memory": (
        failed("BackoffLimitExceeded", [OOM_INIT]),
        "raise its limit in spec.podTemplate",
        {"podTemplate": {"spec": {"initContainers": [FETCH]}}},
    ),
    "out of time": (
        failed("DeadlineExceeded", [failed_pod(75)], activeDeadlineSeconds=60),
        "took longer than spec.activeDeadlineSeconds (60 s); raise it",
        {"activeDeadlineSeconds": 7200},
    ),
    "no node": (
        stuck(unschedulable_pod(NO_NODE), pendingDeadlineSeconds=60),
        "correct spec.gpu.resourceName",
        {"gpu": {"resourceName": "nvidia.com/gpu.shared"}},
    ),
    "no GPU at all": (
        stuck(unschedulable_pod(NO_NODE), pendingDeadlineSeconds=60),
        "spec.gpu.count 0 runs on the CPU",
        {"gpu": {"count": 0}},
    ),
    "no Secret": (
        stuck(waiting_pod("CreateContainerConfigError", MISSING)),
        "create it in namespace default, then change any field of spec",
        {"retries": 2},
    ),
    "no Secret, with the smallest of changes": (
        stuck(waiting_pod("CreateContainerConfigError", MISSING)),
        "then change any field of spec",
        {"ttlSecondsAfterFinished": 7200},
    ),
    "no such command": (
        failed("BackoffLimitExceeded", [failed_pod(128, "no such file", exit_reason="StartError")]),
        "check spec.image",
        {"image": "another:1"},
    ),
    "another scene": (
        failed("PodFailurePolicy", [failed_pod(65, said("BadInput", "garden.ply is broken; replace it."))]),
        "replace it",
        {"source": {"uri": "s3://scenes/garden-2.ply"}},
    ),
}


def edited(seen: Observed, edit: Mapping[str, Any], now: float = 700) -> Resource:
    """The resource that has failed, with another spec."""
    raw: dict[str, Any] = {"pendingDeadlineSeconds": seen.resource.spec.pending_deadline_s}
    raw["activeDeadlineSeconds"] = seen.resource.spec.active_deadline_s
    return resource(status=after(seen, now=at(now)).status, generation=2, **{**raw, **edit})


@pytest.mark.parametrize(("seen", "words", "edit"), REMEDIES.values(), ids=REMEDIES)
def test_the_remedy_that_a_failure_names_runs_again(seen: Observed, words: str, edit: dict[str, Any]) -> None:
    owner = edited(seen, edit)
    assert owner.status["phase"] == "Failed"
    assert words in condition(owner.status, "Stalled")["message"]
    first = decide(observed(owner, jobs=seen.jobs, pods=seen.pods), now=at(900))
    assert of_type(first, DeleteJob) == [DeleteJob(seen.jobs[0].name, seen.jobs[0].uid)]
    gone = observed(replace(owner, status=stored(written(first))))
    (created,) = of_type(decide(gone, now=at(901)), CreateJob)
    assert created.manifest["metadata"]["name"] == name_of(owner)


BLOCKED: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "place": ({"destination": {"uri": "s3://private/"}}, "spec.destination.uri s3://private/ is not allowed", {}),
    "pod": ({"podTemplate": {"spec": {"hostNetwork": True}}}, "spec.podTemplate leaves", {}),
    "template": ({"podTemplate": {"spec": {"containers": {"image": "a"}}}}, "spec.podTemplate cannot be merged", {}),
}


@pytest.mark.parametrize(("spec", "words", "edit"), BLOCKED.values(), ids=BLOCKED)
def test_what_was_never_run_is_judged_anew(spec: dict[str, Any], words: str, edit: dict[str, Any]) -> None:
    limited = replace(SETTINGS, allowed_destinations=("s3://scenes/",))
    owner = resource(**spec)
    status = written(decide(observed(owner), settings=limited))
    assert words in condition(status, "Stalled")["message"]
    corrected = resource(status=stored(status), generation=2, **edit)
    assert of_type(decide(observed(corrected), settings=limited), CreateJob)


class TestTheWholeWay:
    """Failed, corrected, run again, failed again."""

    seen = failed("BackoffLimitExceeded", [failed_pod(137, exit_reason="OOMKilled")])

    def test_the_next_run_begins_with_an_empty_status(self) -> None:
        before = edited(self.seen, MORE_MEMORY).status
        assert {"completionTime", "duration", "failures", "startTime", "retryOn"} <= set(before)
        owner = replace(edited(self.seen, MORE_MEMORY), status={**before, "outputs": [], "inputBytes": 1})
        first = written(decide(observed(owner, jobs=self.seen.jobs, pods=self.seen.pods)))
        assert set(first) == {"observedGeneration", "phase", "conditions"}
        assert (first["phase"], condition(first, "Ready")["reason"]) == ("Pending", "Replacing")
        then = decide(observed(replace(owner, status=stored(first))))
        assert set(written(then)) == {"observedGeneration", "phase", "conditions", "jobName"}
        assert events(then) == [("Normal", "JobCreated")]

    def test_it_is_made_at_once_where_the_job_is_gone(self) -> None:
        actions = decide(observed(edited(self.seen, MORE_MEMORY)))
        assert of_type(actions, CreateJob)
        assert set(written(actions)) == {"observedGeneration", "phase", "conditions", "jobName"}

    def test_pods_of_the_run_before_are_waited_for(self) -> None:
        still = observed(edited(self.seen, MORE_MEMORY), pods=[pod(is_deleting=True)])
        assert not of_type(decide(still), CreateJob)

    def next_run(self, **changes: Any) -> tuple[Resource, Job]:
        owner = edited(self.seen, MORE_MEMORY)
        owner = replace(owner, status=stored(written(decide(observed(owner)))))
        return owner, job(owner, uid="next", created_at=at(1000), started_at=at(1000), **changes)

    def test_it_is_counted_again_when_it_fails_again(self) -> None:
        owner, again = self.next_run(failure=("BackoffLimitExceeded", ""), failed_pods=1, finished_at=at(1100))
        oom = failed_pod(137, exit_reason="OOMKilled", name="garden-y", job_uid="next", created_at=at(1000))
        actions = decide(observed(owner, jobs=[again], pods=[oom]), now=at(1101))
        assert of_type(actions, CountFinish) == [CountFinish("Failed", "OOMKilled")]
        assert events(actions) == [("Warning", "Failed")]
        status = written(actions)
        assert (status["startTime"], status["duration"]) == ("2026-01-01T12:16:40Z", "1m40s")
        assert [entry["pod"] for entry in status["failures"]] == ["garden-y"], "not those of the run before"
        settled_again = replace(owner, status=stored(status))
        assert decide(observed(settled_again, jobs=[again], pods=[oom]), now=at(1102)) == []

    def test_a_job_that_was_made_since_is_the_next_runs(self) -> None:
        """The status was not written after it was made: it must not be made again."""
        owner = edited(self.seen, MORE_MEMORY)
        actions = decide(observed(owner, jobs=[job(owner, uid="next", created_at=at(1000))]), now=at(1001))
        assert not of_type(actions, (CreateJob, DeleteJob))
        assert written(actions)["phase"] == "Pending"

    def test_it_may_succeed(self) -> None:
        owner, done = self.next_run(is_complete=True, finished_at=at(1100))
        actions = decide(observed(owner, jobs=[done], pods=[succeeded_pod(job_uid="next")]), now=at(1101))
        assert written(actions)["phase"] == "Succeeded"
        assert "failures" not in written(actions)
        assert "retryOn" not in written(actions)


HARMLESS: dict[str, dict[str, Any]] = {
    "retries": {"retries": 9},
    "ttl": {"ttlSecondsAfterFinished": 7200},
    "pending deadline": {"pendingDeadlineSeconds": 60},
    "deletion policy": {"deletionPolicy": "Retain", "retries": 2},
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_an_edit_that_cannot_help_is_only_acknowledged(edit: dict[str, Any]) -> None:
    before = settled(failed_pod(137, exit_reason="OOMKilled")).status
    owner = resource(status=before, generation=2, **edit)
    actions = decide(observed(owner))
    assert [type(action) for action in actions] == [WriteStatus]
    status = written(actions)
    assert (status["observedGeneration"], status["retryOn"]) == (2, before["retryOn"])
    helped = resource(status=stored(status), generation=3, **edit, **MORE_MEMORY)
    assert of_type(decide(observed(helped)), CreateJob), "a later one that can help does"


def test_a_success_is_never_run_again_for_where_it_ran() -> None:
    owner = resource(status=settled().status, generation=2, **MORE_MEMORY)
    assert [type(action) for action in decide(observed(owner))] == [WriteStatus]
    assert parse_spec({}).scheduling != owner.spec.scheduling
