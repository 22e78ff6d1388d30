"""Breadth-first search through all states that can be reached, with the promises checked in each of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from model import operation, surroundings
from model.cluster import State, is_orphan, key_of, state_of
from model.operation import Reconcile
from model.steps import steps

Promise = Callable[[State], str | None]
"""What is broken in a state, or None."""

MAX_ROUNDS = 60


@dataclass
class Report:
    """What a search has found."""

    states: int = 0
    broken: str = ""
    """The first broken promise, empty where all are kept."""
    trace: list[str] = field(default_factory=list)
    """The steps that lead to it."""
    is_complete: bool = True
    """Whether every reachable state was seen."""


def explore(
    start: State, reconcile: Reconcile, promises: Iterable[Promise], goal: Promise, *, limit: int = 200_000
) -> Report:
    """Search from `start` until a promise is broken or nothing is left, or `limit` states were seen.

    In each state every promise must hold, and whatever has happened so far, the goal must be reached, and kept, once
    users leave the resource alone and everybody else does what he has to.
    """
    report = Report()
    came_from: dict[str, tuple[str, str]] = {}
    calm: set[str] = set()
    seen, waiting = {key_of(start)}, deque([key_of(start)])
    promises = list(promises)
    while waiting:
        key = waiting.popleft()
        state = state_of(key)
        report.states += 1
        broken = next((words for promise in promises if (words := promise(state))), None)
        broken = broken or settle(state, reconcile, goal, calm)
        if broken:
            report.broken, report.trace = broken, _trace(came_from, key)
            return report
        if len(seen) >= limit:
            report.is_complete = False
            continue
        for name, step in steps(state, reconcile):
            following = state_of(key)
            step(following)
            following_key = key_of(following)
            if following_key not in seen:
                seen.add(following_key)
                came_from[following_key] = (key, name)
                waiting.append(following_key)
    return report


def rest(state: State, reconcile: Reconcile) -> State:
    """The state that is come to if nobody disturbs; what may disturb stays to come."""
    calm = {**state_of(key_of(state)), "budget": {}, "edits": []}
    for _ in range(MAX_ROUNDS):
        key = key_of(calm)
        _round(calm, reconcile)
        if key_of(calm) == key:
            break
    return {**calm, "budget": state["budget"], "edits": state["edits"]}


def settle(state: State, reconcile: Reconcile, goal: Promise, calm: set[str]) -> str | None:
    """Let everybody but users go on in a fair order until nothing changes; then the goal must hold, or its words.

    `calm` remembers the states from which that is known to come out well.
    """
    passed = []
    state = {**state_of(key_of(state)), "budget": {}, "edits": []}
    for round_number in range(MAX_ROUNDS):
        key = key_of(state)
        if key in calm:
            break
        passed.append(key)
        _round(state, reconcile)
        if key_of(state) == key:
            # Everything that waits for a moment gets it, once; what is over stays over.
            if round_number and state["seconds"] >= 100_000:
                if words := goal(state):
                    return f"it comes to rest, but {words}"
                break
            state["seconds"] += 100_000
    else:
        return "it never comes to rest"
    calm.update(passed)
    return None


def _round(state: State, reconcile: Reconcile) -> None:
    """A pass of the operator upon what is there, then one step of everybody else."""
    while state["plan"]:
        operation.act(state)
    if state["late"]:
        operation.act_late(state)
    if state["resource"] is not None:
        operation.look(state)
        operation.decider(reconcile, ())(state)
        while state["plan"]:
            operation.act(state)
    state["looked"], state["is as seen"] = None, False
    for name in [each for each, job in state["jobs"].items() if is_orphan(state, job)]:
        surroundings.delete_job(state, name)
    state["pods"] = [pod for pod in state["pods"] if "deletionTimestamp" not in pod["metadata"]]
    for place, pod in enumerate(state["pods"]):
        if pod["status"]["phase"] == "Running":
            surroundings.end_pod(state, place)
        elif pod["status"]["phase"] == "Pending":
            surroundings.start_pod(state, place)
    # A Job lives at least until the operator's next pass after its end.
    for action in (surroundings.expire_job, surroundings.admit_job, surroundings.sync_job, surroundings.judge_job):
        for name in list(state["jobs"]):
            action(state, name)


def _trace(came_from: dict[str, tuple[str, str]], key: str) -> list[str]:
    names = []
    while key in came_from:
        key, name = came_from[key]
        names.append(name)
    return names[::-1]
