"""What the operator promises, whatever happens and in whatever order."""

from __future__ import annotations

from typing import Any

from model.cluster import State, active
from splat_operator.api.names import SUSPENDED, TERMINAL_PHASES

Raw = dict[str, Any]


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
    if status.get("outputs") and status["jobName"] not in made and not _is_deleting(state):
        return "the status names outputs that nobody has published"
    return None


def told_once(state: State) -> str | None:
    """One Event and one count for each end of a run."""
    counts = {what: count for what, count in state["told"].items() if what.split()[1] in ("Succeeded", "Failed")}
    for what, count in (*counts.items(), *state["finished"].items()):
        if count > 1:
            return f"{what} was told twice"
    return None


def end_stays(state: State) -> str | None:
    """Nobody takes the end of a run back."""
    return "the end of a run was taken back" if state["taken back"] else None


def deleted_outputs_are_gone(state: State) -> str | None:
    """A resource that takes its outputs along leaves none, or has said so."""
    alive = state["resource"]["metadata"]["uid"] if state["resource"] else None
    for uid in {each["uid"] for each in state["published"]} - {alive}:
        if uid in state["taken along"] and not any(what.startswith(f"{uid} OutputsLeft") for what in state["told"]):
            return f"outputs of {uid} are left without a word"
    return None


def kueue_decides(state: State) -> str | None:
    """Nobody but Kueue lets a Job of a queue begin, or stops it."""
    return "the operator set a Job's suspend that is Kueue's" if state["fought"] else None


def retained_outputs_stay(state: State) -> str | None:
    """Outputs of a resource that does not take them along are never deleted."""
    lost = set(state["deleted for"]) - set(state["taken along"])
    return f"outputs of {sorted(lost)} were deleted unasked" if lost else None


ALL = (
    kueue_decides,
    retained_outputs_stay,
    one_run_at_a_time,
    generation_is_not_ahead,
    outputs_exist,
    told_once,
    end_stays,
    deleted_outputs_are_gone,
)


def desired_state(state: State) -> str | None:
    """What must be true when nothing changes any more."""
    resource = state["resource"]
    if active(state):
        return "pods are still active"
    if resource is None:
        return None
    if _is_deleting(state):
        return "the deleted resource is still there"
    status, spec = resource["status"], resource["spec"]
    if status.get("observedGeneration") != resource["metadata"]["generation"]:
        return "the status speaks of an earlier spec"
    return _wrong_end(status, spec, state["jobs"])


def _wrong_end(status: Raw, spec: Raw, jobs: dict[str, Raw]) -> str | None:
    phase = status["phase"]
    reason = next(item["reason"] for item in status["conditions"] if item["type"] == "Ready")
    if spec.get("dryRun"):
        return (
            None if reason == "DryRun" and not jobs else f"a dry run ended in {phase} ({reason}) with {len(jobs)} Jobs"
        )
    if spec.get("suspend") and phase != SUSPENDED and phase not in TERMINAL_PHASES:
        return f"it is suspended, but {phase}"
    if not spec.get("suspend") and phase not in TERMINAL_PHASES:
        return f"it is {phase} ({reason}) for ever"
    leftovers = [name for name in jobs if name != status.get("jobName") and "cleanup" not in name]
    return f"Jobs of earlier specs are left: {leftovers}" if leftovers else None


def _is_deleting(state: State) -> bool:
    return bool(state["resource"]) and "deletionTimestamp" in state["resource"]["metadata"]
