"""Orders of events, crashes between any two writes, reads of different moments: the promises hold, the goal is reached.

The search is breadth-first and ends after some thousand states of each story, so it is exhaustive near the beginning
(for the stories marked so, altogether); random walks (`test_walks`) go further. The faults planted below show that it
finds what it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from compressions import SETTINGS
from model import operation
from model.checker import Report, explore, rest
from model.cluster import begin
from model.promises import ALL, desired_state
from splat_operator.api.model import (
    Action,
    CountFinish,
    CreateJob,
    EmitEvent,
    Observed,
    PatchJob,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.decide import reconcile as core

STORIES: dict[str, dict[str, Any]] = {
    "undisturbed": {"budget": {"late": 1}},
    "failures": {"budget": {"fail": 2}},
    "edited": {"budget": {}, "edits": [{"preview": True}]},
    "moved": {"budget": {}, "edits": [{"nodeSelector": {"pool": "gpu"}}]},
    "Job deleted by hand": {"budget": {"delete job": 1}},
    "Job deleted after its run": {
        "budget": {"delete job": 1},
        "spec": {"ttlSecondsAfterFinished": None},
        "rests": True,
    },
    "suspended and resumed": {"budget": {}, "edits": [{"suspend": True}, {"suspend": False}]},
    "queued and preempted": {"budget": {"preempt": 1}, "spec": {"queueName": "gpus"}},
    "queued, suspended": {
        "budget": {},
        "spec": {"queueName": "gpus"},
        "edits": [{"suspend": True}, {"suspend": False}],
    },
    "deleted with its outputs": {"budget": {"delete": 1, "wait": 1}, "spec": {"deletionPolicy": "Delete"}},
    "deleted after its run": {"budget": {"delete": 1, "fail": 1}, "spec": {"deletionPolicy": "Delete"}, "rests": True},
    "deleted and applied again": {"budget": {"delete": 1, "apply again": 1}},
    "dry run": {"budget": {}, "edits": [{"dryRun": True}, {"dryRun": False}]},
    "two pods": {
        "budget": {"fail": 1, "lose pod": 1},
        "spec": {"parallelism": 2, "source": {"uri": "s3://scenes/raw/"}},
    },
}

SEARCHED_ALTOGETHER = {"Job deleted after its run"}


def decide(observed: Observed, now: datetime) -> list[Action]:
    return core.reconcile(observed, now=now, settings=SETTINGS)


def search(story: str, reconcile: operation.Reconcile = decide, limit: int = 2000) -> Report:
    told = dict(STORIES[story])
    is_done = told.pop("rests", False)
    start = rest(begin(**told), reconcile) if is_done else begin(**told)
    return explore(start, reconcile, ALL, desired_state, limit=limit)


@pytest.mark.parametrize("story", STORIES)
def test_promises_hold_and_the_goal_is_reached(story: str) -> None:
    report = search(story)
    assert not report.broken, f"{report.broken}, after {report.trace}"
    assert report.is_complete == (story in SEARCHED_ALTOGETHER)


@pytest.mark.parametrize("story", STORIES)
def test_what_is_not_disturbed_is_told_once(story: str) -> None:
    """An end that nobody hears of would break no promise above."""
    told = {**STORIES[story], "edits": [], "budget": {}}
    told.pop("rests", None)
    calm = rest(begin(**told), decide)
    ends = {
        what.split()[1]: count for what, count in calm["told"].items() if what.split()[1] in ("Succeeded", "Failed")
    }
    assert ends == {"Succeeded": 1}
    assert list(calm["finished"].values()) == [1]


def trusts_its_memory(observed: Observed, now: datetime) -> list[Action]:
    """Takes a Job for there because it was made once: nobody tells of the one that was deleted."""
    actions = decide(observed, now)
    known = observed.resource.status.get("jobName")
    return [
        each for each in actions if not (isinstance(each, CreateJob) and known == each.manifest["metadata"]["name"])
    ]


def tells_first(observed: Observed, now: datetime) -> list[Action]:
    """Posts Events before the status that they tell of."""
    actions = decide(observed, now)
    told = [each for each in actions if isinstance(each, EmitEvent | CountFinish)]
    return [*told, *(each for each in actions if each not in told)]


def notes_first(observed: Observed, now: datetime) -> list[Action]:
    """Writes that a Job is made before it is, and believes it."""
    actions = trusts_its_memory(observed, now)
    made = [each for each in actions if isinstance(each, CreateJob)]
    return [*(each for each in actions if each not in made), *made]


def does_not_wait(observed: Observed, now: datetime) -> list[Action]:
    """Does not see pods of earlier runs."""
    jobs = {job.uid for job in observed.jobs}
    return decide(replace(observed, pods=tuple(pod for pod in observed.pods if pod.job_uid in jobs)), now)


def lets_go_at_once(observed: Observed, now: datetime) -> list[Action]:
    """Lets a resource go when its outputs are about to be deleted."""
    actions = decide(observed, now)
    is_cleaning = observed.resource.deleted_at and any(isinstance(each, CreateJob) for each in actions)
    return [SetFinalizers(())] if is_cleaning else actions


def forgets_the_end(observed: Observed, now: datetime) -> list[Action]:
    """Decides anew for a run whose end is in the status, once its Job is gone."""
    status = observed.resource.status
    if not status or observed.jobs:
        return decide(observed, now)
    return decide(replace(observed, resource=replace(observed.resource, status={**status, "phase": "Running"})), now)


def claims_too_early(observed: Observed, now: datetime) -> list[Action]:
    """Shows outputs while they are made."""
    return [
        WriteStatus({**each.status, "outputs": [{"name": "garden"}]})
        if isinstance(each, WriteStatus) and each.status["phase"] == "Running"
        else each
        for each in decide(observed, now)
    ]


def resumes_all(observed: Observed, now: datetime) -> list[Action]:
    """Takes the suspension of a Job for its own, in a queue too."""
    stolen = [PatchJob(job.name, {"suspend": False}) for job in observed.jobs if job.is_suspended]
    return [*stolen, *decide(observed, now)]


def deletes_unasked(observed: Observed, now: datetime) -> list[Action]:
    """Deletes outputs that were to stay."""
    spec = replace(observed.resource.spec, deletes_outputs=True)
    return decide(replace(observed, resource=replace(observed.resource, spec=spec)), now)


def tells_nobody(observed: Observed, now: datetime) -> list[Action]:
    """Posts no Event and counts nothing."""
    return [each for each in decide(observed, now) if not isinstance(each, EmitEvent | CountFinish)]


FAULTS: dict[str, tuple[str, Callable[[Observed, datetime], list[Action]], str]] = {
    "lost event": ("Job deleted by hand", trusts_its_memory, "for ever"),
    "crash between writes": ("undisturbed", notes_first, "for ever"),
    "repeated event": ("undisturbed", tells_first, "told twice"),
    "two runs": ("edited", does_not_wait, "Jobs are active"),
    "outputs left": ("deleted after its run", lets_go_at_once, "left without a word"),
    "Kueue fought": ("queued and preempted", resumes_all, "that is Kueue's"),
    "end taken back": ("Job deleted after its run", forgets_the_end, "taken back"),
    "outputs claimed": ("undisturbed", claims_too_early, "nobody has published"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    story, reconcile, words = FAULTS[fault]
    report = search(story, reconcile, limit=8000)
    assert words in report.broken
    assert report.broken


def test_a_status_that_is_written_unasked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the version that was seen, a request that comes late takes an end back."""
    monkeypatch.setattr(operation, "is_current", lambda state, *_, **__: state["resource"] is not None)
    assert "taken back" in search("undisturbed").broken


def test_reads_in_the_wrong_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were pods listed before Jobs, those of a Job deleted in between would be missed."""
    monkeypatch.setattr(operation, "BEHIND", (("resource",), ("resource", "pods")))
    assert "Jobs are active" in search("Job deleted by hand").broken


def test_outputs_deleted_unasked_are_found() -> None:
    start = rest(begin(budget={"delete": 1}), deletes_unasked)
    report = explore(start, deletes_unasked, ALL, desired_state, limit=2000)
    assert "were deleted unasked" in report.broken


def test_silence_is_found() -> None:
    calm = rest(begin(budget={}), tells_nobody)
    assert calm["resource"]["status"]["phase"] == "Succeeded"
    assert not calm["finished"]
