"""What the Job controller, the kubelet, the garbage collector and Kueue do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

from compressions import RESULT, said
from model import kueue
from model.cluster import LABELS, Raw, State, Step, container_of, is_orphan, now, owner_of, pods_of
from model.views import hear_all, is_under_way
from splat_operator.api.names import ANNOTATION_INDEX, ANNOTATION_UID, LABEL_CLEANUP, PERMANENT_EXIT_CODES
from splat_operator.api.times import format_time
from splat_operator.manifests.job import SAFE_TTL_S

EXITS = {65: "BadInput", 69: "ServiceUnavailable"}
"""Exit codes of workers that fail, one for good and one that a retry may help."""
DISRUPTED = 143


def surrounding_steps(state: State) -> Iterator[tuple[str, Step]]:
    for name, job in state["jobs"].items():
        if is_orphan(state, job):
            yield f"collect {name}", on_job(delete_job, name)
        if "other" not in job:
            for action in (sync_job, judge_job, expire_job, kueue.admit, kueue.hold):
                yield f"{action.__name__} {name}", on_job(action, name)
    for place, pod in enumerate(state["pods"]):
        if "deletionTimestamp" in pod["metadata"]:
            yield f"remove pod {place}", on_pod(remove_pod, place)
        elif "other" in pod:
            continue
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
    done = _indexes(own, "Succeeded")
    busy = {_index(pod) for pod in running}
    indexes = [str(index) for index in range(spec["completions"])] if "completions" in spec else [None]
    for index in indexes:
        if index not in done | busy and index not in job["own"].get("done", ()):
            state["pods"].append(_new_pod(state, name, index))


def judge_job(state: State, name: str) -> None:
    """Count pods that have ended, which are free to go then, and conclude where there is nothing more to do."""
    job, own = state["jobs"][name], pods_of(state, name)
    status, noted = job["status"], job["own"]
    if status.get("conditions"):
        return
    for pod in own:
        if "counted" not in pod and _has_failed(pod):
            status["failed"] = status.get("failed", 0) + 1
            if not noted.get("is spent"):
                noted["is spent"] = _exit_code(pod) in PERMANENT_EXIT_CODES
                noted["cause"] = EXITS[_exit_code(pod)]
        if pod["status"]["phase"] in ("Succeeded", "Failed"):
            pod["counted"] = True
    done = sorted({*_indexes(own, "Succeeded"), *noted.get("done", ())}, key=str)
    if done:
        noted["done"], status["succeeded"] = done, len(done)
    if len(done) >= job["spec"].get("completions", 1):
        _conclude(state, job, "Complete")
    elif _is_spent(job, own):
        _conclude(state, job, "Failed")
        for pod in own:
            if pod["status"]["phase"] in ("Pending", "Running"):
                pod["metadata"]["deletionTimestamp"] = format_time(now(state))


def expire_job(state: State, name: str) -> None:
    """Remove a finished Job whose TTL is over. That nobody has read its outcome by then excuses another run."""
    job = state["jobs"][name]
    ttl_s = job["spec"].get("ttlSecondsAfterFinished")
    if not job["status"].get("conditions") or ttl_s is None:
        return
    if ttl_s >= SAFE_TTL_S:
        if is_under_way(state):
            return
        hear_all(state)
    lose_job(state, name)
    state["pods"] = [pod for pod in state["pods"] if owner_of(pod) != job["metadata"]["uid"]]


def is_read(state: State, job: Raw) -> bool:
    """Whether the outcome of that Job is in the status."""
    status, meta = state["resource"]["status"] if state["resource"] else {}, job["metadata"]
    return bool(status.get("jobName") == meta["name"] and status.get("completionTime", "") >= meta["creationTimestamp"])


def lose_job(state: State, name: str) -> None:
    """A Job is deleted, and not by the operator: that excuses another one, if it was not over or nobody has read it."""
    if not is_read(state, state["jobs"][name]):
        state["excused"] += 1
    delete_job(state, name)


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
    message = said(EXITS[code], "It broke.") if code else json.dumps(RESULT)
    _terminate(state, pod, code, message)
    if code == 0 and "cleanup" in pod:
        state["deleted for"] = sorted({*state["deleted for"], pod["cleanup"]})
        state["published"] = [each for each in state["published"] if each["uid"] != pod["cleanup"]]
    elif code == 0:
        made = {"job": pod["job"], "index": _index(pod), "uid": pod["for"]}
        state["published"] = [*(each for each in state["published"] if each != made), made]


def disrupt_pod(state: State, place: int) -> None:
    """The pod is ended from outside, as by a drained node: that uses no retry."""
    pod = state["pods"][place]
    _terminate(state, pod, DISRUPTED, "")
    when = format_time(now(state))
    disruption = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    pod["status"]["conditions"].append({**disruption, "lastTransitionTime": when})


def remove_pod(state: State, place: int) -> None:
    """A pod under deletion has stopped."""
    del state["pods"][place]


def _terminate(state: State, pod: Raw, code: int, message: str) -> None:
    pod["status"]["phase"] = "Failed" if code else "Succeeded"
    ended = {"exitCode": code, "message": message, "finishedAt": format_time(now(state))}
    container_of(pod)["state"] = {"terminated": ended}


def _is_spent(job: Raw, own: list[Raw]) -> bool:
    """Whether the Job has failed: more failures than retries, or one that a retry cannot help."""
    new = [_exit_code(pod) for pod in own if _has_failed(pod) and "counted" not in pod]
    failed = job["status"].get("failed", 0) + len(new)
    is_permanent = job["own"].get("is spent") or set(new) & set(PERMANENT_EXIT_CODES)
    return bool(failed > job["spec"].get("backoffLimit", 6) or is_permanent)


def _has_failed(pod: Raw) -> bool:
    return bool(pod["status"]["phase"] == "Failed" and not _is_disrupted(pod))


def _is_disrupted(pod: Raw) -> bool:
    return any(condition["type"] == "DisruptionTarget" for condition in pod["status"]["conditions"])


def _exit_code(pod: Raw) -> int:
    return int(container_of(pod)["state"]["terminated"]["exitCode"])


def _index(pod: Raw) -> str | None:
    index: str | None = pod["metadata"]["annotations"].get(ANNOTATION_INDEX)
    return index


def _indexes(pods: list[Raw], phase: str) -> set[str | None]:
    return {_index(pod) for pod in pods if pod["status"]["phase"] == phase}


def _new_pod(state: State, job_name: str, index: str | None) -> Raw:
    job = state["jobs"][job_name]
    meta, number = job["metadata"], job["own"].get("made", 0) + 1
    job["own"]["made"] = number
    cleanup = meta["labels"].get(LABEL_CLEANUP)
    created = format_time(now(state) + timedelta(seconds=number))
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": created}
    return {
        "metadata": {
            "name": f"{job_name}-{meta['uid']}-{number}",
            "namespace": meta["namespace"],
            "uid": f"{meta['uid']}-{number}",
            "resourceVersion": "1",
            "labels": LABELS,
            "creationTimestamp": created,
            "ownerReferences": [{"kind": "Job", "uid": meta["uid"], "controller": True}],
            "annotations": {ANNOTATION_INDEX: index} if index is not None else {},
        },
        "status": {
            "phase": "Pending",
            "conditions": [scheduled],
            "containerStatuses": [{"name": "worker", "state": {"waiting": {"reason": "ContainerCreating"}}}],
        },
        "job": job_name,
        **({"cleanup": cleanup} if cleanup else {"for": meta["annotations"][ANNOTATION_UID]}),
    }


def _conclude(state: State, job: Raw, kind: str) -> None:
    when = format_time(now(state))
    job["status"]["conditions"] = [{"type": kind, "status": "True", "lastTransitionTime": when, "reason": kind}]
    job["status"] |= {"completionTime": when} if kind == "Complete" else {}
