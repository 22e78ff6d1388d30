"""The search finds each fault that is planted: in what the operator decides, and in what it does around that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from model import faults, operation, process, requests
from model.mind import Mind, Reconcile
from model.rounds import rest
from model.searching import search
from model.stories import Story, start
from splat_operator.api.model import Observed, Pod
from splat_operator.cluster import parsing
from splat_operator.decide import reconcile as core
from splat_operator.decide import status
from splat_operator.decide.policies import failure

LIMIT = 8000

FAULTS: dict[Reconcile, tuple[str, str]] = {
    faults.trusts_its_memory: ("Job deleted by hand", "for ever"),
    faults.notes_first: ("undisturbed", "for ever"),
    faults.tells_first: ("undisturbed", "was counted"),
    faults.does_not_wait: ("edited while it runs", "Jobs are active"),
    faults.lets_go_at_once: ("deleted after its run", "left without a word"),
    faults.resumes_all: ("queued and preempted", "that is Kueue's"),
    faults.forgets_the_end: ("Job deleted after its run", "taken back"),
    faults.claims_too_early: ("undisturbed", "nobody has published"),
    faults.resumes_what_it_did_not_suspend: ("held without a queue", "that is Kueue's"),
    faults.takes_a_queue_for_its_own: ("put into a queue", "never rests"),
    faults.makes_a_stopped_job_anew: ("held without a queue", "never rests"),
    faults.counts_nothing: ("undisturbed", "was counted 0 times"),
    faults.makes_jobs_by_its_store: ("Job deleted while it runs", "Jobs are active"),
    faults.deletes_jobs_by_its_store: ("taken over", "was made 2 times"),
    faults.forgets_lost_answers: ("edited, an answer lost", "Jobs are active"),
    faults.takes_unseen_pods_for_gone: ("failures", "the end tells of"),
    faults.counts_ends_in_one: ("many failures", "the end tells of"),
    faults.believes_the_phase: ("status written by hand", "nothing is published"),
    faults.acknowledges_every_edit: ("failed, more memory", "was not run again"),
    faults.runs_again_on_every_edit: ("failed for good, more memory", "taken back"),
    faults.repeats_for_ever: ("result lost", "was made 3 times"),
    faults.keeps_the_small_status: ("status refused", "it ends with StatusRefused"),
    faults.repeats_itself: ("undisturbed", "writes the status twice"),
    faults.tells_again: ("undisturbed", "tells what is no news"),
    faults.adopts_nothing: ("owner removed", "without its owner"),
    faults.resumes_the_clean_up: ("clean-up put into a queue", "that is Kueue's"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_of_a_decision_is_found(fault: Reconcile) -> None:
    story, words = FAULTS[fault]
    assert words in search(story, fault, LIMIT).broken


def test_a_status_that_is_written_unasked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the version that was seen, a request that comes late takes an end back."""
    monkeypatch.setattr(requests, "is_current", lambda state, _: state["resource"] is not None)
    assert "taken back" in search("undisturbed", limit=LIMIT).broken


def test_reads_in_the_wrong_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were pods listed before Jobs, those of a Job deleted in between would be missed."""
    monkeypatch.setattr(operation, "READS", ("resource", "pods", "jobs"))
    assert "Jobs are active" in search("edited and deleted by hand", limit=LIMIT).broken


def test_first_lists_in_the_wrong_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of a new process, which does not know either that it has made a Job."""
    monkeypatch.setattr(process, "LISTS", ("resource", "pods", "jobs"))
    assert "Jobs are active" in search("Job deleted by hand", limit=LIMIT).broken


@pytest.mark.parametrize("story", ["deleted, applied again, taken over", "Job deleted by hand, an answer lost"])
def test_a_process_without_doubt_is_found(monkeypatch: pytest.MonkeyPatch, story: str) -> None:
    """What was written by another process, or without an answer, may be there though nobody has seen it."""
    monkeypatch.setattr(process, "IS_IN_DOUBT", False)
    assert "Jobs are active" in search(story, limit=LIMIT).broken


def test_an_event_that_holds_up_a_count_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "EVENTS_END_PASSES", True)
    assert "was counted 0 times" in search("Events not taken", limit=LIMIT).broken


def test_failures_that_are_cut_before_they_are_put_in_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_first(before: Iterable[Mapping[str, Any]], pods: Iterable[Pod]) -> list[dict[str, Any]]:
        known = [dict(entry) for entry in before]
        names = {entry["pod"] for entry in known}
        new = [entry for pod in pods if pod.name not in names for entry in failure.failures([], [pod])]
        return [*known, *new][-failure.MAX_FAILURES :]

    monkeypatch.setattr(status, "failures", cut_first)
    assert "writes the status twice" in search("many failures", limit=LIMIT).broken


def test_an_operator_that_deletes_any_job_with_its_labels_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_is_of_an_earlier_resource", lambda _: True)
    assert "another's Job" in search("another's Job", limit=LIMIT).broken


def test_an_operator_that_takes_its_own_job_for_anothers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "belongs_to", lambda *_: False)
    assert "no other Job has the name" in search("labels removed", limit=LIMIT).broken


def test_a_small_status_in_the_place_of_an_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = core.unwritable

    def forgetful(observed: Observed, **said: Any) -> list[Any]:
        return real(faults.with_status(observed, without="completionTime"), **said)

    monkeypatch.setattr(core, "unwritable", forgetful)
    assert "taken back" in search("status refused after its run", limit=LIMIT).broken


def test_outputs_deleted_unasked_are_found() -> None:
    start_of = Story({"delete": 1}, first=("rest",))
    assert "were deleted unasked" in search(start_of, faults.deletes_unasked).broken


def test_silence_is_found() -> None:
    mind = Mind(faults.tells_nobody)
    calm = rest(start(Story(), mind), mind)
    assert calm["resource"]["status"]["phase"] == "Succeeded"
    assert not calm["finished"]
