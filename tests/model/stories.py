"""What the searches begin with: a resource, what may happen to it, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from model import operation, surroundings
from model.breaches import wanted_name
from model.cluster import KINDS, Raw, State, begin, copy_of, listed
from model.disturbances import delete
from model.hands import add_others
from model.mind import Mind
from model.rounds import go_round, rest
from splat_operator.api.names import LABEL_CLEANUP


@dataclass(frozen=True)
class Story:
    """A search's beginning.

    Attributes:
        budget: how often each disturbance may happen. `stale`: decisions on a store that is behind; `crash`: ends of
            the operator's process.
        spec: fields of the spec that are other than usual.
        edits: what the user changes, in order.
        kueue: see `kueue`.
        first: what has happened before, in words that WORDS knows.
        is_small: whether the search sees every state that there is.
    """

    budget: dict[str, int] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    edits: list[Raw] = field(default_factory=list)
    kueue: str = ""
    first: tuple[str, ...] = ()
    is_small: bool = False


def start(story: Story, mind: Mind) -> State:
    """The state that the story begins with."""
    usual = {"stale": 1, "crash": 1}
    state = begin(budget={**usual, **story.budget}, spec=story.spec, edits=list(story.edits), kueue=story.kueue)
    for word in story.first:
        state = WORDS[word](state, mind)
    return state


def _run(state: State, mind: Mind) -> State:
    """A pod runs, and the operator knows it."""
    for _ in range(10):
        if _running(state) is not None:
            return state
        go_round(state, mind, ends=False)
    raise AssertionError("no pod runs")


def _fail(state: State, mind: Mind) -> State:
    """A pod has failed with what a retry may help, and the operator knows it."""
    return _end(state, mind, lambda state, place: surroundings.end_pod(state, place, 69))


def _fail_for_good(state: State, mind: Mind) -> State:
    """A pod has failed with what no retry helps, and the operator knows it."""
    return _end(state, mind, lambda state, place: surroundings.end_pod(state, place, 65))


def _disrupt(state: State, mind: Mind) -> State:
    """A pod was disrupted, and the operator knows it."""
    return _end(state, mind, surroundings.disrupt_pod)


def _end(state: State, mind: Mind, how: Callable[[State, int], None]) -> State:
    state = _run(state, mind)
    place = _running(state)
    assert place is not None
    how(state, place)
    for name in list(state["jobs"]):
        surroundings.judge_job(state, name)
    operation.one_pass(state, mind)
    return state


def _delete(state: State, mind: Mind) -> State:
    """The resource is deleted, and the Job that deletes its outputs is made."""
    delete(state)
    while not any(LABEL_CLEANUP in job["metadata"]["labels"] for job in state["jobs"].values()):
        operation.one_pass(state, mind)
        state["pods"] = [pod for pod in state["pods"] if "deletionTimestamp" not in pod["metadata"]]
    return state


def _running(state: State) -> int | None:
    phases = [pod["status"]["phase"] if "other" not in pod else "" for pod in state["pods"]]
    return phases.index("Running") if "Running" in phases else None


def _another(state: State, _: Mind) -> State:
    """Another controller has a Job with the operator's labels."""
    add_others(state, "nightly-1")
    return state


def _take_name(state: State, _: Mind) -> State:
    """Another controller has a Job of the name that the resource's must have."""
    add_others(state, wanted_name(state))
    return state


def _make(state: State, mind: Mind) -> State:
    """The Job is made, and nothing else has happened."""
    operation.one_pass(state, mind)
    return state


def _stand_by(state: State, mind: Mind) -> State:
    """A pod runs, and another process, which does not act yet, has heard of none of that."""
    known = {kind: listed(state, kind) for kind in KINDS}
    return {**_run(copy_of(state), mind), "standby": known}


WORDS: dict[str, Callable[[State, Mind], State]] = {
    "rest": rest,
    "make": _make,
    "run": _run,
    "stand by": _stand_by,
    "fail": _fail,
    "fail for good": _fail_for_good,
    "disrupt": _disrupt,
    "delete": _delete,
    "another": _another,
    "take name": _take_name,
}

SUSPEND: list[Raw] = [{"suspend": True}, {"suspend": False}]
MORE_MEMORY: list[Raw] = [{"resources": {"limits": {"memory": "8Gi"}}}]
DELETE: dict[str, Any] = {"deletionPolicy": "Delete"}
QUEUE: dict[str, Any] = {"queueName": "gpus"}
CLEAN_UP = ("rest", "delete")
HELD = "queued only"

STORIES: dict[str, Story] = {
    "undisturbed": Story({"late": 1}),
    "failures": Story({"fail": 2}),
    "edited": Story(edits=[{"preview": True}]),
    "edited while it runs": Story({"stale": 2}, edits=[{"preview": True}], first=("run",)),
    "moved": Story(edits=[{"nodeSelector": {"pool": "gpu"}}]),
    "Job deleted by hand": Story({"delete job": 1}),
    "Job deleted while it runs": Story({"delete job": 1, "stale": 2}, first=("run",)),
    "Job deleted after its run": Story(
        {"delete job": 1}, {"ttlSecondsAfterFinished": None}, first=("rest",), is_small=True
    ),
    "suspended and resumed": Story(edits=SUSPEND),
    "queued and preempted": Story({"preempt": 1}, QUEUE),
    "queued, suspended": Story({}, QUEUE, SUSPEND),
    "put into a queue": Story({"preempt": 1}, kueue="default"),
    "put into a queue, suspended": Story({}, edits=SUSPEND, kueue="default"),
    "held without a queue": Story({"preempt": 1}, kueue="all"),
    "held without a queue, suspended": Story({"crash": 0}, edits=SUSPEND, kueue="all"),
    "held without a queue, suspended while it runs": Story({"crash": 0}, edits=SUSPEND, kueue="all", first=("run",)),
    "deleted with its outputs": Story({"delete": 1, "wait": 1}, DELETE),
    "deleted after its run": Story({"delete": 1, "fail": 1}, DELETE, first=("rest",)),
    "clean-up": Story({"fail": 1, "wait": 1}, {**DELETE, **QUEUE}, first=CLEAN_UP),
    "clean-up put into a queue": Story({"preempt": 1, "wait": 1}, DELETE, kueue="default", first=CLEAN_UP),
    "clean-up held without a queue": Story({"preempt": 1, "wait": 1}, DELETE, kueue="all", first=CLEAN_UP),
    "clean-up held, then queued": Story({"preempt": 1, "wait": 1}, {**DELETE, **QUEUE}, kueue=HELD, first=CLEAN_UP),
    "deleted and applied again": Story({"delete": 1, "apply again": 1}),
    "orphaned and applied again": Story({"orphan": 1, "apply again": 1}, first=("run",)),
    "owner removed": Story({"strip owner": 1}, first=("run",)),
    "labels removed": Story({"strip labels": 1}, {"ttlSecondsAfterFinished": None}, first=("run",), is_small=True),
    "dry run": Story(edits=[{"dryRun": True}, {"dryRun": False}]),
    "two pods": Story({"fail": 1, "lose pod": 1}, {"parallelism": 2, "source": {"uri": "s3://scenes/raw/"}}),
    "result lost": Story({"vanish": 2, "crash": 0}, first=("run",)),
    "status refused": Story({"refuse status": 1}),
    "status refused after its run": Story({"refuse status": 1}, edits=[{"retries": 0}], first=("rest",), is_small=True),
    "status written by hand": Story({"write status": 1}, first=("run",)),
    "Events not taken": Story({"lose event": 2, "fail": 1}, first=("run",)),
    "many failures": Story(
        {"fail": 1, "disrupt": 1}, {"retries": 6}, first=("fail", "disrupt", "fail", "fail", "disrupt", "fail")
    ),
    "failed, more memory": Story({}, {"retries": 0}, MORE_MEMORY, first=("fail",)),
    "failed for good, more memory": Story({}, {"retries": 0}, MORE_MEMORY, first=("fail for good",), is_small=True),
    "another's Job": Story({"delete": 1}, DELETE, first=("another",)),
    "name taken": Story({"delete job": 1}, first=("take name",)),
    "taken over": Story({"standby": 1}, edits=[{"preview": True}]),
    "deleted, applied again, taken over": Story({"delete": 1, "apply again": 1}, first=("stand by",)),
    "edited and deleted by hand": Story({"delete job": 1}, edits=[{"preview": True}], first=("make",)),
    "Job deleted by hand, an answer lost": Story({"delete job": 1, "lose answer": 1}),
    "edited, an answer lost": Story({"lose answer": 1}, edits=[{"preview": True}]),
}
