"""What the API server does about the operator's requests, and what the operator's store learns of it."""

from __future__ import annotations

import copy
import json
from typing import Any

from compressions import KEY
from model import kueue
from model.cluster import LABELS, Raw, State, count, is_labelled, new_uid, now, remove_if_free, shown, touch
from model.surroundings import delete_job
from model.views import mark_deleting
from splat_operator.api.model import (
    Action,
    AdoptJob,
    CheckJob,
    CountFinish,
    CreateJob,
    DeleteJob,
    EmitEvent,
    Json,
    PatchJob,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import LABEL_CLEANUP, TERMINAL_PHASES
from splat_operator.api.stored_status import read_status
from splat_operator.api.times import format_time
from splat_operator.cluster.executor import merge_patch
from splat_operator.cluster.parsing import belongs_to, parse_resource
from splat_operator.decide.policies.rerun import OUTPUT_ONLY
from splat_operator.manifests.identity import job_name
from splat_operator.manifests.job import owner_reference

DONE, CHANGED, CONFLICT, NAME_TAKEN = "done", "changed", "conflict", "name taken"
"""What became of a request. A changed resource is another than was seen."""

Request = dict[str, Any]
"""`action`, the `uid` and `generation` of the resource that was seen, and whether it still `is as seen`."""


def carry_out(state: State, action: Action, request: Request, *, is_late: bool = False) -> str:
    """Carry the request out; a late one has outlived its sender, who hears no answer."""
    answers = len(state["answers"])
    outcome = _carry_out(state, action, request, is_late=is_late)
    if is_late:
        del state["answers"][answers:]
    return outcome


def _carry_out(state: State, action: Action, request: Request, *, is_late: bool) -> str:
    match action:
        case CheckJob() | EmitEvent() | CountFinish():
            return DONE
        case CreateJob(manifest):
            return _create(state, manifest, request, is_late=is_late)
        case DeleteJob(name, uid):
            marked = mark_deleting(state, uid)
            state["answers"] += [["jobs", marked]] if marked else []
            if _is(state, name, uid):
                _touch_job(state, name)
                delete_job(state, name)
        case PatchJob(name, fields, annotations):
            if name in state["jobs"]:
                _touch_job(state, name)
                _patch(state, state["jobs"][name], fields, annotations)
                _answer(state, name)
        case AdoptJob(name, uid):
            if _is(state, name, uid):
                _touch_job(state, name)
                _adopt(state, name, request["uid"])
        case WriteStatus(status):
            return _write(state, status, request)
        case SetFinalizers(finalizers):
            if not is_current(state, request):
                return CONFLICT
            state["resource"]["metadata"]["finalizers"] = list(finalizers)
            touch(state)
            remove_if_free(state)
            return CHANGED
        case other:
            raise AssertionError(other)
    return DONE


def is_current(state: State, request: Request) -> bool:
    """Whether the API server takes a write that carries the version seen."""
    resource = state["resource"]
    return bool(request["is as seen"] and resource and resource["metadata"]["uid"] == request["uid"])


def _create(state: State, manifest: Json, request: Request, *, is_late: bool) -> str:
    name, uid = manifest["metadata"]["name"], request["uid"]
    if name in state["jobs"]:
        job = state["jobs"][name]
        is_cleanup = job["metadata"]["labels"].get(LABEL_CLEANUP) == uid
        if not (belongs_to(job, uid) or is_cleanup):
            return NAME_TAKEN
        if not is_late and not is_labelled(job):
            _adopt(state, name, uid, is_owned=not is_cleanup)
        _answer(state, name)
        return DONE
    if not is_late:
        _note_making(state, name, request)
    state["seconds"] += 1  # So that one that is made later says so.
    meta = manifest["metadata"]
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    state["jobs"][name] = {
        "metadata": {
            **{each: copy.deepcopy(meta[each]) for each in kept if each in meta},
            "uid": new_uid(state),
            "resourceVersion": "1",
            "creationTimestamp": format_time(now(state)),
        },
        "spec": {
            each: value for each, value in manifest["spec"].items() if each not in ("template", "podFailurePolicy")
        },
        "status": {"startTime": format_time(now(state))},
        "own": {},
    }
    kueue.default(state, state["jobs"][name])
    _answer(state, name)
    return DONE


def scheduling_of(state: State) -> Raw | None:
    """What of the spec may help a run that has failed; None where there is no resource."""
    spec = state["resource"]["spec"] if state["resource"] else {}
    helpful = ("resources", "nodeSelector", "queueName", "pendingDeadlineSeconds")
    return {name: spec[name] for name in helpful if name in spec} if spec else None


def _note_making(state: State, name: str, request: Request) -> None:
    """Count Jobs, and see whether this one runs again what is over. One of a resource that is gone is collected."""
    if state["resource"] is None or state["resource"]["metadata"]["uid"] != request["uid"]:
        return
    count(state, "made", f"{name} of generation {request['generation']}")
    status = state["resource"]["status"]
    if state["excused"] or status.get("jobName") != name or status.get("phase") not in TERMINAL_PHASES:
        return
    if status["phase"] == "Succeeded" or state["tried"] == scheduling_of(state):
        state["broken"] = f"{name} was made again unasked"


def _adopt(state: State, name: str, uid: str, *, is_owned: bool = True) -> None:
    meta = state["jobs"][name]["metadata"]
    meta["labels"] = {**meta["labels"], **LABELS}
    if is_owned:
        others = [owner for owner in meta.get("ownerReferences", []) if owner["uid"] != uid]
        meta["ownerReferences"] = [*others, owner_reference(KEY, uid)]
    _answer(state, name)


def _patch(state: State, job: Raw, fields: Json, annotations: Json) -> None:
    if "suspend" in fields:
        kueue.note_patch(state, job, is_suspending=fields["suspend"])
    job["spec"] = {name: value for name, value in {**job["spec"], **fields}.items() if value is not None}
    merged = {**job["metadata"].get("annotations", {}), **annotations}
    job["metadata"]["annotations"] = {name: value for name, value in merged.items() if value is not None}


def _write(state: State, status: Json, request: Request) -> str:
    if not is_current(state, request):
        return CONFLICT
    before = state["resource"]["status"]
    # What anybody has written there that the operator does not understand is not in its patch.
    after = json.loads(json.dumps(_patched(before, merge_patch(read_status(before), status))))
    if takes_back(state, before, after):
        state["broken"] = "the end of a run was taken back"
    if ends(before, after):
        state["tried"] = scheduling_of(state)
        _check_cause(state, after)
    state["resource"]["status"] = after
    touch(state)
    state["answers"].append(["resource", shown(state["resource"])])
    return CHANGED


def takes_back(state: State, before: Raw, after: Raw) -> bool:
    """Whether a status gives another end to a run that the one before has ended, or none, though it is still wanted."""
    is_end = before.get("phase") in TERMINAL_PHASES and "jobName" in before and not state["by hand"]
    if not is_end or after["phase"] == before["phase"]:
        return False
    resource = parse_resource(state["resource"])
    is_wanted = wanted_name(state) == before["jobName"] and not resource.deleted_at and not resource.spec.is_dry_run
    may_be_helped = _reason(before) not in OUTPUT_ONLY and state["tried"] != scheduling_of(state)
    return is_wanted and not (before["phase"] == "Failed" and may_be_helped)


def wanted_name(state: State) -> str:
    """Name of the Job that the spec asks for."""
    resource = parse_resource(state["resource"])
    return job_name(resource_name=resource.key.name, uid=resource.uid, output=resource.spec.output)


def _check_cause(state: State, status: Raw) -> None:
    """The end tells of the attempt that decided, where pods did."""
    cause = state["jobs"].get(status["jobName"], {"own": {}})["own"].get("cause")
    if status["phase"] == "Failed" and cause and _reason(status) != cause:
        state["broken"] = f"the end tells of {_reason(status)}, and the run failed of {cause}"


def _reason(status: Raw) -> str:
    return next((str(item["reason"]) for item in status.get("conditions", []) if item["type"] == "Ready"), "")


def ends(before: Raw, after: Raw) -> bool:
    """Whether a run is over with this status that was not with the one before."""
    run = ("phase", "jobName")
    is_end = after["phase"] in TERMINAL_PHASES and "jobName" in after
    return is_end and [before.get(name) for name in run] != [after[name] for name in run]


def _is(state: State, name: str, uid: str) -> bool:
    return name in state["jobs"] and state["jobs"][name]["metadata"]["uid"] == uid


def _answer(state: State, name: str) -> None:
    if is_labelled(state["jobs"][name]):  # The store keeps no other.
        state["answers"].append(["jobs", shown(state["jobs"][name])])


def _touch_job(state: State, name: str) -> None:
    if "other" in state["jobs"][name]:
        state["broken"] = "the operator touched another's Job"


def _patched(before: Raw, patch: Json) -> Raw:
    merged = copy.deepcopy(before)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _patched(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged
