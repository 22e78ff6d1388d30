"""What the API server, the Job controller, the kubelet, the garbage collector and Kueue do."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta

from compressions import RESULT, said
from model.cluster import Raw, State, Step, container_of, is_orphan, now, owner_of, pods_of
from splat_operator.api.names import ANNOTATION_INDEX, LABEL_CLEANUP, LABEL_QUEUE, PERMANENT_EXIT_CODES
from splat_operator.api.times import format_time

EXITS = {65: "BadInput", 69: "ServiceUnavailable"}
"""Exit codes of workers that fail, one for good and one that a retry may help."""


def surrounding_steps(state: State) -> Iterator[tuple[str, Step]]:
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


def create_job(state: State, manifest: Raw) -> None:
    """The API server takes a Job, unless it has one of that name."""
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


def sync_job(state: State, name: str) -> None:
    """Stop the pods of a suspended Job; make those that an unfinished one lacks."""
    job, own = state["jobs"][name], pods_of(state, name)
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
    job, own = state["jobs"][name], pods_of(state, name)
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
        state["pods"] = [pod for pod in state["pods"] if owner_of(pod) != job["metadata"]["uid"]]


def admit_job(state: State, name: str) -> None:
    """Kueue lets a Job of a queue begin, and says where."""
    job = state["jobs"][name]
    if LABEL_QUEUE in job["metadata"].get("labels", {}) and job["spec"].get("suspend"):
        job["spec"]["suspend"] = False


def delete_job(state: State, name: str) -> None:
    """In the background: the Job is gone at once, its pods get a SIGTERM and stay until they have stopped."""
    for pod in pods_of(state, name):
        pod["metadata"]["deletionTimestamp"] = format_time(now(state))
    del state["jobs"][name]


def start_pod(state: State, place: int) -> None:
    """The worker begins."""
    pod = state["pods"][place]
    pod["status"]["phase"] = "Running"
    container_of(pod)["state"] = {"running": {"startedAt": format_time(now(state))}}


def end_pod(state: State, place: int, code: int = 0) -> None:
    """The worker ends; one that succeeds has published, or deleted."""
    pod = state["pods"][place]
    pod["status"]["phase"] = "Failed" if code else "Succeeded"
    message = said(EXITS[code], "It broke.") if code else json.dumps(RESULT)
    ended = {"exitCode": code, "message": message, "finishedAt": format_time(now(state))}
    container_of(pod)["state"] = {"terminated": ended}
    if code == 0 and "cleanup" in pod:
        state["deleted for"] = sorted({*state["deleted for"], pod["cleanup"]})
        state["published"] = [each for each in state["published"] if each["uid"] != pod["cleanup"]]
    elif code == 0:
        made = {"job": pod["job"], "index": pod["metadata"]["annotations"].get(ANNOTATION_INDEX), "uid": pod["for"]}
        state["published"] = [*(each for each in state["published"] if each != made), made]


def remove_pod(state: State, place: int) -> None:
    """A pod under deletion has stopped."""
    del state["pods"][place]


def _is_spent(job: Raw, own: list[Raw]) -> bool:
    """Whether the Job has failed: more failures than retries, or one that a retry cannot help."""
    codes = [container_of(pod)["state"]["terminated"]["exitCode"] for pod in own if pod["status"]["phase"] == "Failed"]
    return len(codes) > job["spec"].get("backoffLimit", 6) or bool(set(codes) & set(PERMANENT_EXIT_CODES))


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
