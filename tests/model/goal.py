"""What must be true when nothing changes any more."""

from __future__ import annotations

from model.breaches import scheduling_of
from model.cluster import Raw, State, active
from model.promises import is_deleting
from splat_operator.api.names import ANNOTATION_UID, SUSPENDED, TERMINAL_PHASES


def desired_state(state: State) -> str | None:
    """The resource has come to the end that its spec and what has happened lead to."""
    resource = state["resource"]
    if active(state):
        return "pods are still active"
    if resource is None:
        return None
    if is_deleting(state):
        return "the deleted resource is still there"
    if resource["status"].get("observedGeneration") != resource["metadata"]["generation"]:
        return "the status speaks of an earlier spec"
    return _wrong_end(state, resource["status"], resource["spec"])


def _wrong_end(state: State, status: Raw, spec: Raw) -> str | None:
    phase, jobs = status["phase"], {name for name, job in state["jobs"].items() if "other" not in job}
    reason = next(item["reason"] for item in status["conditions"] if item["type"] == "Ready")
    if spec.get("dryRun"):
        is_told = reason == "DryRun" and not jobs
        return None if is_told else f"a dry run ended in {phase} ({reason}) with {len(jobs)} Jobs"
    if reason == "JobNameTaken":
        return None if "other" in str(state["jobs"]) else "no other Job has the name that is said to be taken"
    if spec.get("suspend") and phase != SUSPENDED and phase not in TERMINAL_PHASES:
        return f"it is suspended, but {phase}"
    if not spec.get("suspend") and phase not in TERMINAL_PHASES:
        return f"it is {phase} ({reason}) for ever"
    if phase in TERMINAL_PHASES and (words := _untrue(state, phase, reason, status)):
        return words
    leftovers = [name for name in sorted(jobs) if name != status.get("jobName") and _is_wrong(state, name)]
    return f"Jobs of earlier specs are left: {leftovers}" if leftovers else None


def _is_wrong(state: State, name: str) -> bool:
    """Whether the Job should be gone. One that is over, and that somebody took from an earlier resource, may stay."""
    job = state["jobs"][name]
    is_own = job["metadata"].get("annotations", {}).get(ANNOTATION_UID) == state["resource"]["metadata"]["uid"]
    return is_own or not job["status"].get("conditions")


def _untrue(state: State, phase: str, reason: str, status: Raw) -> str | None:
    """What an end says that is not so, or that an edit was to change."""
    if reason in ("StatusRefused", "InternalError"):
        return f"it ends with {reason}"
    made = {each["job"] for each in state["published"]}
    if phase == "Succeeded" and not (status.get("outputs") and status.get("jobName") in made):
        return "it says that it has succeeded, and nothing is published"
    if reason == "ServiceUnavailable" and state["tried"] != scheduling_of(state):
        return "it has failed, and was not run again with what was changed"
    return None
