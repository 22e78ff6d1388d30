"""A pass of the operator, in steps between which anything may happen.

It reads, it decides, and it executes one action after the other. It may crash between any two of them, its reads are of
different moments, and a request may outlive it.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from model.cluster import Raw, State, Step, now, remove_if_free, touch
from model.disturbances import spending
from model.surroundings import create_job, delete_job
from splat_operator.api.model import (
    Action,
    CheckJob,
    CountFinish,
    CountWait,
    CreateJob,
    DeleteJob,
    EmitEvent,
    Observed,
    PatchJob,
    Requeue,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import LABEL_QUEUE, TERMINAL_PHASES
from splat_operator.cluster.executor import merge_patch
from splat_operator.cluster.parsing import assemble, parse_resource

Reconcile = Callable[[Observed, Any], list[Action]]

DONE, CHANGED, REFUSED = "done", "changed", "refused"
"""What became of an action: a changed resource is another than was seen."""

BEHIND: tuple[tuple[str, ...], ...] = (("resource",), ("resource", "jobs"))
"""Which reads of a pass may be older than the last one, after the order in which it reads."""

_ACTIONS: dict[str, Action] = {}
"""By what states call them: states hold plain values only."""


def operator_steps(state: State, reconcile: Reconcile) -> Iterator[tuple[str, Step]]:
    if state["late"]:
        yield "act late", act_late
    if state["plan"]:
        yield "act", act
        yield "crash", crash
        if state["budget"].get("late"):
            yield "crash with a request on its way", spending("late", crash_sending)
        return
    if state["looked"] is None:
        yield "look", look
        return
    yield "crash", crash
    yield "decide", decider(reconcile, ())
    for stale in BEHIND:
        if any(state["looked"][part] != state[part] for part in stale):
            yield f"decide, {' and '.join(stale)} stale", decider(reconcile, stale)


def look(state: State) -> None:
    """Begin to read: the resource, its Jobs, its pods, each as it is at that moment, which is not one for all."""
    parts = {part for stale in BEHIND for part in stale}
    state["looked"] = {part: copy.deepcopy(state[part]) for part in sorted(parts)}


def decider(reconcile: Reconcile, stale: tuple[str, ...]) -> Step:
    """A decision upon what is there, but for the stale parts upon what was."""

    def decide(state: State) -> None:
        seen = {**state, **{part: state["looked"][part] for part in stale}}
        is_latest = seen["resource"] == state["resource"]
        state["looked"] = None
        if seen["resource"] is None:
            return
        resource = parse_resource(seen["resource"])
        observed = assemble(resource, seen["jobs"].values(), seen["pods"])
        actions = [each for each in reconcile(observed, now(state)) if not isinstance(each, Requeue | CountWait)]
        state["plan"] = [[_name(action), resource.uid] for action in actions]
        # A write with the version that was seen is refused once the resource has changed.
        state["is as seen"] = is_latest

    return decide


def _name(action: Action) -> str:
    name = f"{type(action).__name__} {hashlib.sha256(repr(action).encode()).hexdigest()[:12]}"
    _ACTIONS[name] = action
    return name


def crash(state: State) -> None:
    """The operator ends and begins anew."""
    state["plan"], state["looked"], state["is as seen"] = [], None, False


def crash_sending(state: State) -> None:
    """The operator ends after it has sent a request, which the API server carries out at any time later."""
    state["late"] = [*state["plan"][0], state["is as seen"]]
    crash(state)


def act_late(state: State) -> None:
    """The request that outlived its sender."""
    name, uid, is_as_seen = state["late"]
    state["late"], own = None, state["is as seen"]
    if _execute(state, _ACTIONS[name], uid, is_as_seen=is_as_seen) == CHANGED:
        own = False
    state["is as seen"] = own


def act(state: State) -> None:
    """The first action that is due. One that is refused ends the pass, which will be repeated."""
    (name, uid), *state["plan"] = state["plan"]
    outcome = _execute(state, _ACTIONS[name], uid, is_as_seen=state["is as seen"])
    if outcome == REFUSED:
        state["plan"] = []


def _execute(state: State, action: Action, uid: str, *, is_as_seen: bool) -> str:
    match action:
        case CheckJob():
            pass
        case CreateJob(manifest):
            create_job(state, manifest)
        case DeleteJob(name, job_uid):
            if name in state["jobs"] and state["jobs"][name]["metadata"]["uid"] == job_uid:
                delete_job(state, name)
        case PatchJob(name, fields):
            if name in state["jobs"]:
                spec = state["jobs"][name]["spec"]
                state["fought"] |= LABEL_QUEUE in state["jobs"][name]["metadata"]["labels"] and "suspend" in fields
                state["jobs"][name]["spec"] = {k: v for k, v in {**spec, **fields}.items() if v is not None}
        case WriteStatus(status):
            if not is_current(state, uid, is_as_seen=is_as_seen):
                return REFUSED
            before = state["resource"]["status"]
            if takes_back(before, status):
                state["taken back"] = True
            state["resource"]["status"] = json.loads(json.dumps(_patched(before, merge_patch(before, status))))
            touch(state)
            return CHANGED
        case SetFinalizers(finalizers):
            if not is_current(state, uid, is_as_seen=is_as_seen):
                return REFUSED
            state["resource"]["metadata"]["finalizers"] = list(finalizers)
            touch(state)
            remove_if_free(state)
            return CHANGED
        case EmitEvent(reason=reason):
            _count(state, "told", f"{uid} {reason} {_told_of(state)}")
        case CountFinish():
            _count(state, "finished", f"{uid} {_told_of(state)}")
        case other:
            raise AssertionError(other)
    return DONE


def _told_of(state: State) -> str:
    status = state["resource"]["status"] if state["resource"] else {}
    return f"{status.get('jobName')} of generation {status.get('observedGeneration')}"


def takes_back(before: Raw, after: Raw) -> bool:
    """Whether a status gives another end to a run that the one before has ended, or none."""
    same = ("jobName", "observedGeneration")
    is_same = before.get("phase") in TERMINAL_PHASES and all(before.get(name) == after.get(name) for name in same)
    return is_same and after["phase"] != before["phase"]


def is_current(state: State, uid: str, *, is_as_seen: bool) -> bool:
    """Whether the API server takes a write that carries the version seen."""
    return is_as_seen and state["resource"] is not None and state["resource"]["metadata"]["uid"] == uid


def _count(state: State, table: str, what: str) -> None:
    # Twice is once too often; more would make more states and no more faults.
    state[table][what] = min(2, state[table].get(what, 0) + 1)


def _patched(before: Raw, patch: Raw) -> Raw:
    merged = copy.deepcopy(before)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _patched(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged
