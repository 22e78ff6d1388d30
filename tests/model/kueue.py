"""Kueue: which Jobs are its, when they may begin, and whether the operator lets it decide.

It has the Jobs of a queue. An administrator may have it put Jobs that name no queue into one called `default`
(LocalQueueDefaulting; `state["kueue"]` is `default`), or hold them without one (manageJobsWithoutQueueName), until
somebody lets them begin (`all`) or for as long as they are in none (`queued only`).
"""

from __future__ import annotations

from model.cluster import Raw, State
from splat_operator.api.names import LABEL_QUEUE

HOLDING = ("all", "queued only")


def default(state: State, job: Raw) -> None:
    """Kueue's webhook sees a Job that is made. One that was made suspended is so through the operator, too."""
    labels = job["metadata"]["labels"]
    if state["kueue"] == "default":
        labels.setdefault(LABEL_QUEUE, "default")
    if is_managed(state, job):
        job["own"]["is held"] = not job["spec"].get("suspend")
        job["spec"]["suspend"] = True


def is_managed(state: State, job: Raw) -> bool:
    """Whether Kueue decides when the Job may run."""
    return LABEL_QUEUE in job["metadata"]["labels"] or (state["kueue"] in HOLDING and "other" not in job)


def admit(state: State, name: str) -> None:
    """Let a Job begin; one that is admitted and that somebody else suspends, too."""
    job = state["jobs"][name]
    may_begin = LABEL_QUEUE in job["metadata"]["labels"] or state["kueue"] == "all"
    if may_begin and is_managed(state, job) and job["spec"].get("suspend"):
        job["spec"]["suspend"] = job["own"]["is held"] = False
        job["own"]["is admitted"] = True


def hold(state: State, name: str) -> None:
    """Stop a Job that runs without being admitted."""
    job = state["jobs"][name]
    if is_managed(state, job) and not job["spec"].get("suspend") and not job["own"].get("is admitted"):
        preempt(state, name)


def preempt(state: State, name: str) -> None:
    """Stop a Job for a more important one."""
    job = state["jobs"][name]
    job["spec"]["suspend"] = job["own"]["is held"] = True
    job["own"]["is admitted"] = False


def note_patch(state: State, job: Raw, *, is_suspending: bool) -> None:
    """The operator sets `suspend`: not of a Job of a queue, nor to let go on what Kueue alone holds."""
    if LABEL_QUEUE in job["metadata"]["labels"] or (job["own"].get("is held") and not is_suspending):
        state["broken"] = "the operator set a Job's suspend that is Kueue's"
