"""A cluster as a value: what the API server holds about one resource, and every step that changes it.

A state is a plain dictionary. A step is a function that changes a copy of one; those that can happen are
`steps(state)`. The operator's part of a step goes through its real parsing, decisions and patches; what the Job
controller, the kubelet, the garbage collector, Kueue and users do is modelled here as they are documented to behave.

A pass of the operator is several steps, between which anything may happen: it looks (what it sees then may be what it
believes later: a stale read), it decides, and it executes one action after the other. After each of them it may crash.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from compressions import KEY, NOW, RESULT, SPEC, said
from splat_operator.cluster.executor import merge_patch
from splat_operator.model import (
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
from splat_operator.names import (
    ANNOTATION_INDEX,
    LABEL_CLEANUP,
    LABEL_QUEUE,
    PERMANENT_EXIT_CODES,
    TERMINAL_PHASES,
)
from splat_operator.parsing import assemble, parse_resource
from splat_operator.times import format_time

State = dict[str, Any]
Raw = dict[str, Any]
Step = Callable[[State], None]
Reconcile = Callable[[Observed, Any], list[Action]]

DONE, CHANGED, REFUSED = "done", "changed", "refused"
"""What became of an action: a changed resource is another than was seen."""
EXITS = {65: "BadInput", 69: "ServiceUnavailable"}


def begin(*, budget: dict[str, int], spec: Raw | None = None, edits: list[Raw] | None = None) -> State:
    """The state after `kubectl apply`. `budget` says how often each disturbance may happen, `edits` what users do."""
    state: State = {
        "seconds": 0,
        "resource": None,
        "jobs": {},
        "pods": [],
        "published": [],
        "looked": None,
        "plan": [],
        "budget": budget,
        "edits": edits or [],
        "uids": 0,
        "told": {},
        "finished": {},
        "taken along": [],
        "taken back": False,
        "is as seen": False,
        "late": None,
    }
    apply(state, {**copy.deepcopy(dict(SPEC)), "retries": 1, **(spec or {})})
    return state


def apply(state: State, spec: Raw) -> None:
    """Make the resource."""
    state["uids"] += 1
    uid = f"uid-{state['uids']}"
    _touch(state)
    state["resource"] = {
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": uid,
            "generation": 1,
            "resourceVersion": "1",
            "finalizers": [],
        },
        "spec": spec,
        "status": {},
    }


def key_of(state: State) -> str:
    """What makes two states the same; `state_of` gives the state back."""
    return json.dumps(state, sort_keys=True)


def state_of(key: str) -> State:
    """A state of its own."""
    state: State = json.loads(key)
    return state


_ACTIONS: dict[str, Action] = {}
"""By what states call them: states hold plain values only."""


def _name(action: Action) -> str:
    name = f"{type(action).__name__} {hashlib.sha256(repr(action).encode()).hexdigest()[:12]}"
    _ACTIONS[name] = action
    return name


def now(state: State) -> Any:
    """The clock."""
    return NOW + timedelta(seconds=state["seconds"])


def active(state: State) -> list[Raw]:
    """Pods that may still run."""
    return [pod for pod in state["pods"] if pod["status"]["phase"] in ("Pending", "Running")]


def steps(state: State, reconcile: Reconcile) -> Iterator[tuple[str, Step]]:
    """What can happen next, by name."""
    yield from _operator_steps(state, reconcile)
    yield from _surrounding_steps(state)
    yield from _disturbances(state)


# ---- The operator ----


def _operator_steps(state: State, reconcile: Reconcile) -> Iterator[tuple[str, Step]]:
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
    for stale in (("resource",), ("resource", "jobs")):
        if any(state["looked"][part] != state[part] for part in stale):
            yield f"decide, {' and '.join(stale)} stale", decider(reconcile, stale)


def look(state: State) -> None:
    """Begin to read: the resource, its Jobs, its pods, each as it is at that moment, which is not one for all."""
    state["looked"] = {part: copy.deepcopy(state[part]) for part in ("resource", "jobs")}


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
            _create_job(state, manifest)
        case DeleteJob(name, job_uid):
            if name in state["jobs"] and state["jobs"][name]["metadata"]["uid"] == job_uid:
                delete_job(state, name)
        case PatchJob(name, fields):
            if name in state["jobs"]:
                spec = state["jobs"][name]["spec"]
                state["jobs"][name]["spec"] = {k: v for k, v in {**spec, **fields}.items() if v is not None}
        case WriteStatus(status):
            if not is_current(state, uid, is_as_seen=is_as_seen):
                return REFUSED
            before = state["resource"]["status"]
            if takes_back(before, status):
                state["taken back"] = True
            state["resource"]["status"] = json.loads(json.dumps(_patched(before, merge_patch(before, status))))
            _touch(state)
            return CHANGED
        case SetFinalizers(finalizers):
            if not is_current(state, uid, is_as_seen=is_as_seen):
                return REFUSED
            state["resource"]["metadata"]["finalizers"] = list(finalizers)
            _touch(state)
            _remove_if_free(state)
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


def _touch(state: State) -> None:
    """The resource has a new version, which nobody has seen."""
    state["is as seen"] = False
    if state["late"]:
        state["late"] = [*state["late"][:2], False]


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


def _create_job(state: State, manifest: Raw) -> None:
    meta = manifest["metadata"]
    if meta["name"] in state["jobs"]:
        return
    state["uids"] += 1
    state["jobs"][meta["name"]] = {
        "metadata": {
            **{
                name: copy.deepcopy(meta[name])
                for name in ("name", "labels", "annotations", "ownerReferences")
                if name in meta
            },
            "uid": f"uid-{state['uids']}",
            "creationTimestamp": format_time(now(state)),
        },
        "spec": {
            name: value for name, value in manifest["spec"].items() if name not in ("template", "podFailurePolicy")
        },
        "status": {"startTime": format_time(now(state)), "made": 0},
    }


# ---- The Job controller, the kubelet, the garbage collector, Kueue ----


def _surrounding_steps(state: State) -> Iterator[tuple[str, Step]]:
    for name, job in state["jobs"].items():
        if is_orphan(state, job):
            yield f"collect {name}", on_job(delete_job, name)
        for action in (sync_job, judge_job, expire_job, admit_job):
            yield f"{action.__name__} {name}", on_job(action, name)
    for place, pod in enumerate(state["pods"]):
        if "deletionTimestamp" in pod["metadata"]:
            yield f"remove pod {place}", on_pod(remove_pod, place)
        elif pod["status"]["phase"] == "Pending":
            yield f"start pod {place}", on_pod(start_pod, place)
        elif pod["status"]["phase"] == "Running":
            yield f"end pod {place}", on_pod(end_pod, place)


def on_job(action: Callable[[State, str], None], name: str) -> Step:
    """The step on one Job."""
    return lambda state: action(state, name)


def on_pod(action: Callable[[State, int], None], place: int) -> Step:
    """The step on one pod."""
    return lambda state: action(state, place)


def sync_job(state: State, name: str) -> None:
    """Stop the pods of a suspended Job; make those that an unfinished one lacks."""
    job, own = state["jobs"][name], _pods_of(state, name)
    spec, status = job["spec"], job["status"]
    if status.get("conditions"):
        return
    running = [pod for pod in own if pod["status"]["phase"] in ("Pending", "Running")]
    if spec.get("suspend"):
        for pod in running:
            pod["metadata"]["deletionTimestamp"] = format_time(now(state))
        return
    if _is_spent(job, own):
        return
    done = {
        pod["metadata"]["annotations"].get(ANNOTATION_INDEX) for pod in own if pod["status"]["phase"] == "Succeeded"
    }
    busy = {pod["metadata"]["annotations"].get(ANNOTATION_INDEX) for pod in running}
    indexes = [str(index) for index in range(spec["completions"])] if "completions" in spec else [None]
    for index in indexes:
        if index not in done | busy:
            state["pods"].append(_new_pod(state, name, index))


def judge_job(state: State, name: str) -> None:
    """Count, and conclude where there is nothing more to do."""
    job, own = state["jobs"][name], _pods_of(state, name)
    if job["status"].get("conditions"):
        return
    failed = [pod for pod in own if pod["status"]["phase"] == "Failed"]
    if failed:
        job["status"]["failed"] = len(failed)
    succeeded = {
        pod["metadata"]["annotations"].get(ANNOTATION_INDEX) for pod in own if pod["status"]["phase"] == "Succeeded"
    }
    if len(succeeded) >= job["spec"].get("completions", 1):
        _conclude(state, job, "Complete")
    elif _is_spent(job, own):
        _conclude(state, job, "Failed")
        for pod in own:
            if pod["status"]["phase"] in ("Pending", "Running"):
                pod["metadata"]["deletionTimestamp"] = format_time(now(state))


def expire_job(state: State, name: str) -> None:
    """Remove a finished Job that has a TTL."""
    job = state["jobs"][name]
    if job["status"].get("conditions") and job["spec"].get("ttlSecondsAfterFinished") is not None:
        delete_job(state, name)
        state["pods"] = [pod for pod in state["pods"] if _owner(pod) != job["metadata"]["uid"]]


def admit_job(state: State, name: str) -> None:
    """Kueue lets a Job of a queue begin, and says where."""
    job = state["jobs"][name]
    if LABEL_QUEUE in job["metadata"].get("labels", {}) and job["spec"].get("suspend"):
        job["spec"]["suspend"] = False


def delete_job(state: State, name: str) -> None:
    """In the background: the Job is gone at once, its pods get a SIGTERM and stay until they have stopped."""
    for pod in _pods_of(state, name):
        pod["metadata"]["deletionTimestamp"] = format_time(now(state))
    del state["jobs"][name]


def start_pod(state: State, place: int) -> None:
    """The worker begins."""
    pod = state["pods"][place]
    pod["status"]["phase"] = "Running"
    _container(pod)["state"] = {"running": {"startedAt": format_time(now(state))}}


def end_pod(state: State, place: int, code: int = 0) -> None:
    """The worker ends; one that succeeds has published, or deleted."""
    pod = state["pods"][place]
    pod["status"]["phase"] = "Failed" if code else "Succeeded"
    message = said(EXITS[code], "It broke.") if code else json.dumps(RESULT)
    ended = {"exitCode": code, "message": message, "finishedAt": format_time(now(state))}
    _container(pod)["state"] = {"terminated": ended}
    if code == 0 and "cleanup" in pod:
        state["published"] = [each for each in state["published"] if each["uid"] != pod["cleanup"]]
    elif code == 0:
        made = {"job": pod["job"], "index": pod["metadata"]["annotations"].get(ANNOTATION_INDEX), "uid": pod["for"]}
        state["published"] = [*(each for each in state["published"] if each != made), made]


def remove_pod(state: State, place: int) -> None:
    """A pod under deletion has stopped."""
    del state["pods"][place]


# ---- Users and accidents ----


def _disturbances(state: State) -> Iterator[tuple[str, Step]]:
    budget = state["budget"]
    for code in EXITS:
        for place, pod in enumerate(state["pods"]):
            is_running = pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
            if budget.get("fail") and is_running:
                yield f"fail pod {place} {code}", spending("fail", lambda s, p=place, c=code: end_pod(s, p, c))
    for name, job in state["jobs"].items():
        if budget.get("delete job"):
            yield f"delete job {name}", spending("delete job", on_job(delete_job, name))
        if (
            budget.get("preempt")
            and LABEL_QUEUE in job["metadata"].get("labels", {})
            and not job["spec"].get("suspend")
        ):
            yield f"preempt {name}", spending("preempt", lambda s, n=name: s["jobs"][n]["spec"].update(suspend=True))
    if budget.get("wait"):
        yield "wait", spending("wait", wait)
    if state["resource"] is None:
        if budget.get("apply again"):
            yield (
                "apply again",
                spending("apply again", lambda s: apply(s, copy.deepcopy({**dict(SPEC), "retries": 1}))),
            )
        return
    if state["edits"]:
        yield f"edit {state['edits'][0]}", edit
    if budget.get("delete") and "deletionTimestamp" not in state["resource"]["metadata"]:
        yield "delete", spending("delete", delete)


def spending(what: str, step: Step) -> Step:
    """The step, which can happen once less often then."""

    def spend(state: State) -> None:
        state["budget"] = {**state["budget"], what: state["budget"][what] - 1}
        step(state)

    return spend


def edit(state: State) -> None:
    """The user's next edit."""
    change, *state["edits"] = state["edits"]
    state["resource"]["spec"] |= change
    state["resource"]["metadata"]["generation"] += 1
    _touch(state)


def delete(state: State) -> None:
    """`kubectl delete`: gone at once unless a finalizer holds it."""
    meta = state["resource"]["metadata"]
    meta["deletionTimestamp"] = format_time(now(state))
    _touch(state)
    if meta["finalizers"]:
        state["taken along"] = [*state["taken along"], meta["uid"]]
    _remove_if_free(state)


def wait(state: State) -> None:
    """More time than any deadline gives."""
    state["seconds"] += 1000


def _remove_if_free(state: State) -> None:
    meta = state["resource"]["metadata"]
    if "deletionTimestamp" in meta and not meta["finalizers"]:
        state["resource"] = None


# ---- Questions ----


def _pods_of(state: State, name: str) -> list[Raw]:
    uid = state["jobs"][name]["metadata"]["uid"]
    return [pod for pod in state["pods"] if _owner(pod) == uid]


def _owner(pod: Raw) -> str:
    return str(pod["metadata"]["ownerReferences"][0]["uid"])


def is_orphan(state: State, job: Raw) -> bool:
    """Whether the Job belongs to a resource that is gone."""
    owners = {owner["uid"] for owner in job["metadata"].get("ownerReferences", [])}
    return bool(owners) and (state["resource"] is None or state["resource"]["metadata"]["uid"] not in owners)


def _is_spent(job: Raw, own: list[Raw]) -> bool:
    """Whether the Job has failed: more failures than retries, or one that a retry cannot help."""
    codes = [_container(pod)["state"]["terminated"]["exitCode"] for pod in own if pod["status"]["phase"] == "Failed"]
    return len(codes) > job["spec"].get("backoffLimit", 6) or bool(set(codes) & set(PERMANENT_EXIT_CODES))


def _container(pod: Raw) -> Raw:
    container: Raw = pod["status"]["containerStatuses"][0]
    return container


def _new_pod(state: State, job_name: str, index: str | None) -> Raw:
    job = state["jobs"][job_name]
    job["status"]["made"] += 1
    cleanup = job["metadata"]["labels"].get(LABEL_CLEANUP)
    created = format_time(now(state) + timedelta(seconds=job["status"]["made"]))
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": created}
    return {
        "metadata": {
            "name": f"{job_name}-{job['status']['made']}",
            "creationTimestamp": created,
            "ownerReferences": [{"uid": job["metadata"]["uid"], "controller": True}],
            "annotations": {ANNOTATION_INDEX: index} if index is not None else {},
        },
        "status": {
            "phase": "Pending",
            "conditions": [scheduled],
            "containerStatuses": [{"name": "worker", "state": {"waiting": {"reason": "ContainerCreating"}}}],
        },
        "job": job_name,
        **({"cleanup": cleanup} if cleanup else {"for": job["metadata"]["ownerReferences"][0]["uid"]}),
    }


def _conclude(state: State, job: Raw, kind: str) -> None:
    when = format_time(now(state))
    job["status"]["conditions"] = [{"type": kind, "status": "True", "lastTransitionTime": when, "reason": kind}]
    job["status"] |= {"completionTime": when} if kind == "Complete" else {}
