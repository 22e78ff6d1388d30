"""What a single request of the operator can break: noted when it is carried out, as no later state shows it."""

from __future__ import annotations

from model.cluster import Raw, State, count
from splat_operator.api.names import TERMINAL_PHASES
from splat_operator.cluster.parsing import parse_resource
from splat_operator.decide.policies.rerun import OUTPUT_ONLY
from splat_operator.manifests.identity import job_name

_HELPFUL = ("resources", "nodeSelector", "queueName", "pendingDeadlineSeconds")


def note_making(state: State, name: str, *, uid: str, generation: int) -> None:
    """Count Jobs, and see whether this one runs again what is over. One of a resource that is gone is collected."""
    if state["resource"] is None or state["resource"]["metadata"]["uid"] != uid:
        return
    count(state, "made", f"{name} of generation {generation}")
    status = state["resource"]["status"]
    if state["excused"] or status.get("jobName") != name or status.get("phase") not in TERMINAL_PHASES:
        return
    if status["phase"] == "Succeeded" or state["tried"] == scheduling_of(state):
        state["broken"] = f"{name} was made again unasked"


def note_touch(state: State, job: Raw) -> None:
    """A Job is changed or deleted, which may be another's."""
    if "other" in job:
        state["broken"] = "the operator touched another's Job"


def note_status(state: State, before: Raw, after: Raw) -> None:
    """A status is written, which may take an end back, or tell the wrong one."""
    if _takes_back(state, before, after):
        state["broken"] = "the end of a run was taken back"
    if not ends(before, after):
        return
    state["tried"] = scheduling_of(state)
    cause = state["jobs"].get(after["jobName"], {"own": {}})["own"].get("cause")
    if after["phase"] == "Failed" and cause and _reason(after) != cause:
        state["broken"] = f"the end tells of {_reason(after)}, and the run failed of {cause}"


def ends(before: Raw, after: Raw) -> bool:
    """Whether a run is over with this status that was not with the one before."""
    run = ("phase", "jobName")
    is_end = after["phase"] in TERMINAL_PHASES and "jobName" in after
    return is_end and [before.get(name) for name in run] != [after[name] for name in run]


def scheduling_of(state: State) -> Raw | None:
    """What of the spec may help a run that has failed; None where there is no resource."""
    spec = state["resource"]["spec"] if state["resource"] else {}
    return {name: spec[name] for name in _HELPFUL if name in spec} if spec else None


def wanted_name(state: State) -> str:
    """Name of the Job that the spec asks for."""
    resource = parse_resource(state["resource"])
    return job_name(resource_name=resource.key.name, uid=resource.uid, output=resource.spec.output)


def _takes_back(state: State, before: Raw, after: Raw) -> bool:
    """Whether a status gives another end to a run that the one before has ended, or none, though it is still wanted."""
    is_end = before.get("phase") in TERMINAL_PHASES and "jobName" in before and not state["by hand"]
    if not is_end or after["phase"] == before["phase"]:
        return False
    resource = parse_resource(state["resource"])
    is_wanted = wanted_name(state) == before["jobName"] and not resource.deleted_at and not resource.spec.is_dry_run
    may_be_helped = _reason(before) not in OUTPUT_ONLY and state["tried"] != scheduling_of(state)
    return is_wanted and not (before["phase"] == "Failed" and may_be_helped)


def _reason(status: Raw) -> str:
    return next((str(item["reason"]) for item in status.get("conditions", []) if item["type"] == "Ready"), "")
