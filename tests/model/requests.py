"""What the API server does about the operator's requests, and what the operator's store learns of it."""

from __future__ import annotations

import copy
import json
from typing import Any

from compressions import KEY
from model import kueue
from model.breaches import note_making, note_status, note_touch
from model.cluster import LABELS, Raw, State, is_labelled, new_uid, now, remove_if_free, shown, touch
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
    PatchJob,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import LABEL_CLEANUP
from splat_operator.api.spec import Json
from splat_operator.api.stored_status import read_status
from splat_operator.api.times import format_time
from splat_operator.cluster.executor import merge_patch
from splat_operator.cluster.parsing import belongs_to
from splat_operator.manifests.job import owner_reference

DONE, CONFLICT, NAME_TAKEN = "done", "conflict", "name taken"
"""What became of a request."""

Request = dict[str, Any]
"""The `uid` and `generation` of the resource that was seen, and whether it still `is as seen`."""


def carry_out(state: State, action: Action, request: Request, *, is_late: bool = False) -> str:
    """Carry the request out; of a late one nobody hears the answer."""
    answers = len(state["answers"])
    outcome = _carry_out(state, action, request, is_late=is_late)
    if is_late:
        del state["answers"][answers:]
    return outcome


def _carry_out(state: State, action: Action, request: Request, *, is_late: bool) -> str:
    match action:
        case CheckJob() | EmitEvent() | CountFinish():
            pass
        case CreateJob(manifest):
            return _create(state, manifest, request, is_late=is_late)
        case DeleteJob(name, uid):
            marked = mark_deleting(state, uid)
            state["answers"] += [["jobs", marked]] if marked else []
            if _is(state, name, uid):
                note_touch(state, state["jobs"][name])
                delete_job(state, name)
        case PatchJob(name):
            if name in state["jobs"]:
                note_touch(state, state["jobs"][name])
                _patch(state, state["jobs"][name], action)
                _answer(state, name)
        case AdoptJob(name, uid):
            if _is(state, name, uid):
                note_touch(state, state["jobs"][name])
                _adopt(state, name, request["uid"])
        case WriteStatus(status):
            return _write(state, status, request)
        case SetFinalizers(finalizers):
            if not is_current(state, request):
                return CONFLICT
            state["resource"]["metadata"]["finalizers"] = list(finalizers)
            touch(state)
            remove_if_free(state)
        case other:
            raise AssertionError(other)
    return DONE


def is_current(state: State, request: Request) -> bool:
    """Whether the API server takes a write that carries the version seen."""
    resource = state["resource"]
    return bool(request["is as seen"] and resource and resource["metadata"]["uid"] == request["uid"])


def _create(state: State, manifest: Json, request: Request, *, is_late: bool) -> str:
    meta = manifest["metadata"]
    name, uid = meta["name"], request["uid"]
    if name in state["jobs"]:
        return _take_existing(state, name, uid, is_late=is_late)
    if not is_late:
        note_making(state, name, uid=uid, generation=request["generation"])
    state["seconds"] += 1  # So that one that is made later says so.
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


def _take_existing(state: State, name: str, uid: str, *, is_late: bool) -> str:
    """As the executor does where a Job has the name already."""
    job = state["jobs"][name]
    is_cleanup = job["metadata"]["labels"].get(LABEL_CLEANUP) == uid
    if not (belongs_to(job, uid) or is_cleanup):
        return NAME_TAKEN
    if not is_late and not is_labelled(job):
        _adopt(state, name, uid, is_owned=not is_cleanup)
    _answer(state, name)
    return DONE


def _adopt(state: State, name: str, uid: str, *, is_owned: bool = True) -> None:
    meta = state["jobs"][name]["metadata"]
    meta["labels"] = {**meta["labels"], **LABELS}
    if is_owned:
        others = [owner for owner in meta.get("ownerReferences", []) if owner["uid"] != uid]
        meta["ownerReferences"] = [*others, owner_reference(KEY, uid)]
    _answer(state, name)


def _patch(state: State, job: Raw, patch: PatchJob) -> None:
    if "suspend" in patch.fields:
        kueue.note_patch(state, job, is_suspending=patch.fields["suspend"])
    meta = job["metadata"]
    job["spec"] = _merged(job["spec"], patch.fields)
    meta["annotations"] = _merged(meta.get("annotations", {}), patch.annotations)
    meta["labels"] = _merged(meta["labels"], patch.labels)


def _merged(before: Raw, changes: Json) -> Raw:
    return {name: value for name, value in {**before, **changes}.items() if value is not None}


def _write(state: State, status: Json, request: Request) -> str:
    if not is_current(state, request):
        return CONFLICT
    before = state["resource"]["status"]
    # What anybody has written there that the operator does not understand is not in its patch.
    after = json.loads(json.dumps(_patched(before, merge_patch(read_status(before), status))))
    note_status(state, before, after)
    state["resource"]["status"] = after
    touch(state)
    state["answers"].append(["resource", shown(state["resource"])])
    return DONE


def _is(state: State, name: str, uid: str) -> bool:
    return name in state["jobs"] and state["jobs"][name]["metadata"]["uid"] == uid


def _answer(state: State, name: str) -> None:
    if is_labelled(state["jobs"][name]):  # The store keeps no other.
        state["answers"].append(["jobs", shown(state["jobs"][name])])


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
