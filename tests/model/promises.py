"""What the operator promises, whatever happens and in whatever order."""

from __future__ import annotations

from model.cluster import State, active


def nothing_is_broken(state: State) -> str | None:
    """What a single request can break: it takes an end back, runs again what is over, or touches what is another's."""
    return state["broken"] or None


def one_run_at_a_time(state: State) -> str | None:
    """Pods that may write to the destination are of one Job, and each has a share of its own."""
    owners = {pod["metadata"]["ownerReferences"][0]["uid"] for pod in active(state)}
    return f"pods of {len(owners)} Jobs are active" if len(owners) > 1 else None


def generation_is_not_ahead(state: State) -> str | None:
    """The status speaks of a spec that there was."""
    resource = state["resource"]
    if resource and resource["status"].get("observedGeneration", 0) > resource["metadata"]["generation"]:
        return "observedGeneration is ahead"
    return None


def outputs_exist(state: State) -> str | None:
    """A status that names outputs speaks of a run that has published them."""
    status = state["resource"]["status"] if state["resource"] else {}
    made = {each["job"] for each in state["published"]}
    if status.get("outputs") and status["jobName"] not in made and not is_deleting(state):
        return "the status names outputs that nobody has published"
    return None


def told_once(state: State) -> str | None:
    """At most one Event for each end of a run."""
    for what, times in state["told"].items():
        if what.split()[1] in ("Succeeded", "Failed") and times > 1:
            return f"{what} was told twice"
    return None


def counted_once(state: State) -> str | None:
    """Exactly one count for each end of a run that the operator knows to have written, whatever becomes of Events."""
    for what in {*state["ended"], *state["finished"]}:
        times = state["finished"].get(what, 0)
        if times > 1 or times != state["ended"].get(what, 0):
            return f"{what} ended {state['ended'].get(what, 0)} times and was counted {times} times"
    return None


def made_once(state: State) -> str | None:
    """One Job for each run of a spec, and another only where the one before was lost through no fault of its own."""
    may_be = 1 + state["excused"] + state["is result lost"]
    for what, times in state["made"].items():
        if times > may_be:
            return f"{what} was made {times} times"
    return None


def deleted_outputs_are_gone(state: State) -> str | None:
    """A resource that takes its outputs along leaves none, or has said so, unless it is to leave them after all."""
    alive = state["resource"]["metadata"]["uid"] if state["resource"] else None
    for uid in {each["uid"] for each in state["published"]} - {alive, *state["released"]}:
        if uid in state["taken along"] and not any(what.startswith(f"{uid} OutputsLeft") for what in state["told"]):
            return f"outputs of {uid} are left without a word"
    return None


def retained_outputs_stay(state: State) -> str | None:
    """Outputs of a resource that does not take them along are never deleted."""
    lost = set(state["deleted for"]) - set(state["taken along"])
    return f"outputs of {sorted(lost)} were deleted unasked" if lost else None


def is_deleting(state: State) -> bool:
    """Whether the resource is being deleted."""
    return bool(state["resource"]) and "deletionTimestamp" in state["resource"]["metadata"]


ALL = (
    nothing_is_broken,
    retained_outputs_stay,
    one_run_at_a_time,
    generation_is_not_ahead,
    outputs_exist,
    told_once,
    counted_once,
    made_once,
    deleted_outputs_are_gone,
)
