"""Everybody but users goes on, in a fair order."""

from __future__ import annotations

from model import kueue, operation, surroundings
from model.cluster import State, at_rest, is_orphan, pack
from model.mind import Mind

MAX_ROUNDS = 60


def go_round(state: State, mind: Mind, *, ends: bool = True) -> None:
    """What is under way comes to its end; then a pass of the operator upon what is there, and a step of everybody.

    Without `ends` pods that run go on running.
    """
    while state["plan"]:
        operation.act(state)
    if state["late"]:
        operation.act_late(state)
    state["answers"] = []
    operation.one_pass(state, mind)
    state["departed"], state["standby"] = False, None
    for name in [each for each, job in state["jobs"].items() if is_orphan(state, job)]:
        surroundings.delete_job(state, name)
    state["pods"] = [pod for pod in state["pods"] if "deletionTimestamp" not in pod["metadata"]]
    for place, pod in enumerate(state["pods"]):
        if "other" in pod:
            continue
        if pod["status"]["phase"] == "Running" and ends:
            surroundings.end_pod(state, place)
        elif pod["status"]["phase"] == "Pending":
            surroundings.start_pod(state, place)
    # A Job lives at least until the operator's next pass after its end.
    for action in (surroundings.expire_job, kueue.hold, kueue.admit, surroundings.sync_job, surroundings.judge_job):
        for name in [name for name, job in state["jobs"].items() if "other" not in job]:
            action(state, name)


def rest(state: State, mind: Mind) -> State:
    """The state that is come to if nobody disturbs; what may disturb stays to come."""
    calm = at_rest(state)
    for _ in range(MAX_ROUNDS):
        before = pack(calm)
        go_round(calm, mind)
        if pack(calm) == before:
            break
    return {**calm, "budget": state["budget"], "edits": state["edits"]}
