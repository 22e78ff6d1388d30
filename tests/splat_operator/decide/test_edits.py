"""What an edit of the spec leads to: of a run that is over, of one that goes on, of one that has not begun."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compressions import (
    after,
    condition,
    decide,
    failed_pod,
    job,
    name_of,
    observed,
    of_type,
    pod,
    resource,
    running_pod,
    settled,
    succeeded_pod,
    unschedulable_pod,
    written,
)
from splat_operator.api.model import CreateJob, DeleteJob, Job, PatchJob, Pod, WriteStatus

WORDS = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."


class TestSettled:
    """The outcome stands in the status: the run is never repeated."""

    def test_nothing_is_done_when_the_job_is_gone(self) -> None:
        assert decide(observed(settled())) == []

    @pytest.mark.parametrize("outcome", [None, failed_pod(65)], ids=["succeeded", "failed"])
    def test_ttl_that_could_have_been_too_short_starts_now(self, outcome: Pod | None) -> None:
        owner = settled(outcome, ttlSecondsAfterFinished=60)
        finished = job(owner, is_complete=not outcome, failure=("PodFailurePolicy", "") if outcome else None)
        assert decide(observed(owner, jobs=[finished])) == [PatchJob(finished.name, {"ttlSecondsAfterFinished": 60})]

    def test_ttl_that_is_right_is_left_alone(self) -> None:
        assert decide(observed(settled(), jobs=[job(is_complete=True, ttl_s=86400)])) == []

    def test_harmless_edit_is_acknowledged(self) -> None:
        edited = replace(resource(status=settled().status, generation=2, retries=9))
        actions = decide(observed(edited))
        assert [type(action) for action in actions] == [WriteStatus]
        status = written(actions)
        assert status["observedGeneration"] == 2
        assert {item["observedGeneration"] for item in status["conditions"]} == {2}
        assert {**status, "observedGeneration": 1, "conditions": None} == {**settled().status, "conditions": None}

    def test_output_edit_runs_again_from_an_empty_status(self) -> None:
        for outcome in (None, failed_pod(65)):
            edited = resource(status=settled(outcome).status, generation=2, preview=True)
            actions = decide(observed(edited))
            assert of_type(actions, CreateJob)
            assert set(written(actions)) == {"observedGeneration", "phase", "conditions", "jobName"}
            assert written(actions)["phase"] == "Pending"

    def test_edit_back_to_an_earlier_spec_runs_again(self) -> None:
        """Another run wrote to the destination meanwhile."""
        other = resource(status=settled().status, generation=2, preview=True)
        back = resource(status=after(observed(other)).status, generation=3)
        assert of_type(decide(observed(back)), CreateJob)


class TestEdit:
    """A change of what decides the output ends the running Job and runs again."""

    edited = resource(generation=2, preview=True)

    def test_earlier_job_is_deleted_first(self) -> None:
        actions = decide(observed(self.edited, jobs=[job()], pods=[running_pod()]))
        assert of_type(actions, DeleteJob) == [DeleteJob(job().name, job().uid)]
        assert not of_type(actions, CreateJob)
        assert condition(written(actions), "Ready")["reason"] == "Replacing"

    def test_job_under_deletion_is_waited_for(self) -> None:
        actions = decide(observed(self.edited, jobs=[job(is_deleting=True)]))
        assert not of_type(actions, (CreateJob, DeleteJob))

    def test_pods_of_the_deleted_job_are_waited_for(self) -> None:
        actions = decide(observed(self.edited, pods=[running_pod(is_deleting=True)]))
        assert not of_type(actions, CreateJob)
        assert "garden-x" in condition(written(actions), "Ready")["message"]

    def test_leftover_job_goes_while_the_right_one_is_followed(self) -> None:
        leftover, right = job(), job(self.edited, uid="right")
        actions = decide(observed(self.edited, jobs=[leftover, right], pods=[running_pod(job_uid="right")]))
        assert of_type(actions, DeleteJob) == [DeleteJob(leftover.name, leftover.uid)]
        assert written(actions)["phase"] == "Running"

    @pytest.mark.parametrize("pods", [[], [failed_pod(75)], [succeeded_pod()]], ids=["gone", "failed", "succeeded"])
    def test_then_the_next_is_made(self, pods: list[Pod]) -> None:
        (created,) = of_type(decide(observed(self.edited, pods=pods)), CreateJob)
        assert created.manifest["metadata"]["name"] == name_of(self.edited) != name_of(resource())


class TestSchedulingEdit:
    """A change of scheduling fields applies to a run that has not started."""

    edited = resource(generation=2, nodeSelector={"pool": "gpu"})
    before = job()

    @pytest.mark.parametrize(
        "pods", [[], [pod()], [unschedulable_pod(WORDS)]], ids=["none", "pending", "unschedulable"]
    )
    def test_job_that_has_not_started_is_made_anew(self, pods: list[Pod]) -> None:
        actions = decide(observed(self.edited, jobs=[self.before], pods=pods))
        assert of_type(actions, DeleteJob) == [DeleteJob(self.before.name, self.before.uid)]
        assert not of_type(actions, CreateJob)

    @pytest.mark.parametrize(
        ("started", "pods"),
        [(before, [running_pod()]), (before, [failed_pod(69)]), (replace(before, failed_pods=1), [])],
        ids=["running", "failed once", "failed pod gone"],
    )
    def test_job_that_has_started_stays(self, started: Job, pods: list[Pod]) -> None:
        assert not of_type(decide(observed(self.edited, jobs=[started], pods=pods)), DeleteJob)
