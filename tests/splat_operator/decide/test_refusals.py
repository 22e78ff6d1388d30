"""What becomes of a resource whose Job may not be made, and of one whose status is not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from compressions import (
    NOW,
    SETTINGS,
    after,
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
    settled,
    stored,
    written,
)
from splat_operator.api.model import Action, CreateJob, DeleteJob, Observed, WriteStatus
from splat_operator.decide.reconcile import refused, unwritable

WORDS = 'jobs.batch "garden" is forbidden: exceeded quota: jobs'


def answer(seen: Observed, code: int, *, is_final: bool, now: datetime = NOW) -> list[Action]:
    return refused(seen, code=code, words=WORDS, is_final=is_final, now=now, settings=SETTINGS)


ANSWERS = {
    "forbidden, as by a quota": (403, False, "Pending", "JobRefused"),
    "no namespace": (404, False, "Pending", "JobRefused"),
    "namespace is being deleted": (403, True, "Failed", "InvalidJob"),
    "invalid": (422, True, "Failed", "InvalidJob"),
    "unknown field": (400, True, "Failed", "InvalidJob"),
    "name is taken": (409, False, "Pending", "JobNameTaken"),
}


@pytest.mark.parametrize(("code", "is_final", "phase", "reason"), ANSWERS.values(), ids=ANSWERS)
def test_refused_job_is_explained_in_the_servers_words(code: int, is_final: bool, phase: str, reason: str) -> None:
    actions = answer(observed(), code, is_final=is_final)
    status = written(actions)
    assert (status["phase"], condition(status, "Ready")["reason"]) == (phase, reason)
    assert condition(status, "Stalled")["status"] == str(phase == "Failed")
    assert WORDS in condition(status, "Ready")["message"]
    assert events(actions) == [("Warning", "Failed" if phase == "Failed" else reason)]
    assert "jobName" not in status, "a refused Job settles nothing"


@pytest.mark.parametrize(("code", "is_final"), [(403, False), (409, False), (422, True)])
def test_refusal_in_the_same_words_is_written_once(code: int, is_final: bool) -> None:
    """Another write would be another event, and so another pass, for ever."""
    told = resource(status=written(answer(observed(), code, is_final=is_final)))
    assert answer(observed(told), code, is_final=is_final, now=at(9)) == []


@pytest.mark.parametrize("code", [403, 409])
def test_job_that_may_be_taken_later_is_tried_again(code: int) -> None:
    told = resource(status=written(answer(observed(), code, is_final=False)))
    assert of_type(decide(observed(told)), CreateJob)


def test_invalid_job_is_not_asked_for_twice_but_after_an_edit() -> None:
    told = resource(status=written(answer(observed(), 422, is_final=True)))
    assert decide(observed(told), now=at(9)) == []
    assert of_type(decide(observed(replace(told, generation=2))), CreateJob)


def test_edited_job_that_is_refused_again_is_told_again() -> None:
    told = resource(status=written(answer(observed(), 422, is_final=True)), generation=2)
    status = written(answer(observed(told), 422, is_final=True))
    assert status["observedGeneration"] == 2
    assert decide(observed(replace(told, status=status))) == []


def test_place_that_is_not_allowed_stalls_and_ends_what_runs() -> None:
    limited = replace(SETTINGS, allowed_sources=("s3://others/",))
    actions = decide(observed(jobs=[job()], pods=[running_pod()]), settings=limited)
    status = written(actions)
    assert of_type(actions, DeleteJob)
    assert condition(status, "Stalled")["reason"] == "NotAllowed"
    assert "spec.source.uri s3://scenes/garden.ply" in condition(status, "Stalled")["message"]
    again = observed(resource(status=status))
    assert decide(again, now=at(9), settings=limited) == [], "what is written again makes another pass, for ever"
    assert of_type(decide(again), CreateJob), "when the administrator allows it, it runs"


def test_pod_template_that_leaves_the_profile_stalls() -> None:
    escaping = resource(podTemplate={"spec": {"hostNetwork": True}})
    status = written(decide(observed(escaping)))
    assert condition(status, "Stalled")["reason"] == "PodNotRestricted"
    assert "hostNetwork" in condition(status, "Stalled")["message"]
    assert of_type(decide(observed(escaping), settings=replace(SETTINGS, allow_unrestricted_pods=True)), CreateJob)


def test_pod_template_that_cannot_be_merged_stalls() -> None:
    status = written(decide(observed(resource(podTemplate={"spec": {"containers": {"image": "a"}}}))))
    assert condition(status, "Stalled")["reason"] == "InvalidPodTemplate"
    assert "spec.containers" in condition(status, "Stalled")["message"]


FAULTS = {"StatusRefused": "The API server refuses the status: no.", "InternalError": "The operator cannot decide."}


@pytest.mark.parametrize(("reason", "words"), FAULTS.items(), ids=FAULTS)
class TestUnwritable:
    """A status that is not taken, or that could not be found: a small one, which takes nothing over."""

    def small(self, reason: str, words: str) -> Mapping[str, Any]:
        before = after(observed(jobs=[job()], pods=[failed_pod(137, exit_reason="OOMKilled")]))
        assert "failures" in before.status
        (action,) = unwritable(observed(before), words=words, reason=reason, now=NOW)
        assert isinstance(action, WriteStatus), "no Event and no count: they would recur"
        return action.status

    def test_it_is_small_and_stalled(self, reason: str, words: str) -> None:
        status = self.small(reason, words)
        assert set(status) == {"observedGeneration", "phase", "conditions"}
        assert (status["phase"], condition(status, "Stalled")["reason"]) == ("Failed", reason)
        assert condition(status, "Ready")["message"] == words

    def test_it_is_written_once(self, reason: str, words: str) -> None:
        told = observed(resource(status=stored(self.small(reason, words))))
        assert unwritable(told, words=words, reason=reason, now=at(9)) == []
        assert unwritable(told, words="Otherwise.", reason=reason, now=at(9)) != []

    def test_an_outcome_stays(self, reason: str, words: str) -> None:
        """Without it all would be run again."""
        assert unwritable(observed(settled()), words=words, reason=reason, now=NOW) == []

    def test_it_settles_nothing(self, reason: str, words: str) -> None:
        """The next pass decides anew: the Job is still followed, whatever kept its status from being written."""
        told = resource(status=stored(self.small(reason, words)))
        actions = decide(observed(told, jobs=[job()], pods=[running_pod()]))
        assert written(actions)["phase"] == "Running"
        assert not of_type(actions, (CreateJob, DeleteJob))
