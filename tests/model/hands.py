"""What somebody changes by hand of what is the operator's: a Job's labels and owner, the status."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from compressions import KEY
from model.cluster import LABELS, Raw, State, Step, is_labelled, now, touch
from model.disturbances import spending
from model.surroundings import on_job
from splat_operator.api.times import format_time


def by_hand(state: State) -> Iterator[tuple[str, Step]]:
    budget = state["budget"]
    for name, job in state["jobs"].items():
        if "other" in job:
            continue
        if budget.get("strip owner") and job["metadata"].get("ownerReferences"):
            yield f"strip owner of {name}", spending("strip owner", on_job(strip_owner, name))
        if budget.get("strip labels") and is_labelled(job):
            yield f"strip labels of {name}", spending("strip labels", on_job(strip_labels, name))
    if budget.get("write status") and state["resource"] and state["resource"]["status"]:
        for what in FAKES:
            yield f"write status: {what}", spending("write status", partial(write_status, what=what))


def strip_owner(state: State, name: str) -> None:
    """The Job has no owner any more."""
    del state["jobs"][name]["metadata"]["ownerReferences"]


def strip_labels(state: State, name: str) -> None:
    """The Job is in none of the operator's lists any more; Kueue's label stays."""
    meta = state["jobs"][name]["metadata"]
    meta["labels"] = {label: value for label, value in meta["labels"].items() if label not in LABELS}


def _succeed(status: Raw) -> Raw:
    return {**status, "phase": "Succeeded"}


def _forget_conditions(status: Raw) -> Raw:
    return {name: value for name, value in status.items() if name != "conditions"}


def _spoil(status: Raw) -> Raw:
    """Values that no schema would take, were the CRD another version's."""
    return {**status, "failures": [{"pod": 1}], "startTime": "yesterday", "observedGeneration": True}


FAKES = {"Succeeded": _succeed, "no conditions": _forget_conditions, "spoiled": _spoil}


def write_status(state: State, what: str) -> None:
    """Somebody writes the status."""
    resource = state["resource"]
    resource["status"] = FAKES[what](resource["status"])
    state["by hand"] += 1
    state["excused"] += 1
    touch(state)


def add_others(state: State, name: str) -> None:
    """Another controller's Job of that name, with the operator's labels and a pod that runs: none of its business."""
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "nightly", "controller": True}
    meta = {"namespace": KEY.namespace, "resourceVersion": "1", "labels": LABELS}
    meta["creationTimestamp"] = format_time(now(state))
    state["jobs"][name] = {
        "metadata": {**meta, "name": name, "uid": "other", "ownerReferences": [owner]},
        "spec": {"suspend": False},
        "status": {},
        "own": {},
        "other": True,
    }
    pod_owner = {"kind": "Job", "uid": "other", "controller": True}
    state["pods"].append(
        {
            "metadata": {**meta, "name": f"{name}-1", "uid": "other-1", "ownerReferences": [pod_owner]},
            "status": {"phase": "Running", "conditions": [], "containerStatuses": []},
            "job": name,
            "other": True,
        }
    )
