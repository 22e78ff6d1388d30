"""A cluster as a value: what the API server holds about one resource, as a plain dictionary.

A step is a function that changes one; `steps` lists those that can happen. The operator's go through its real parsing,
decisions and patches (`operation`); the others do as they are documented to (`surroundings`), or as they like
(`disturbances`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from compressions import KEY, NOW, SPEC

State = dict[str, Any]
Raw = dict[str, Any]
Step = Callable[[State], None]


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
        "fought": False,
        "deleted for": [],
        "is as seen": False,
        "late": None,
    }
    apply(state, {**copy.deepcopy(dict(SPEC)), "retries": 1, **(spec or {})})
    return state


def apply(state: State, spec: Raw) -> None:
    """Make the resource."""
    state["uids"] += 1
    uid = f"uid-{state['uids']}"
    touch(state)
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


def now(state: State) -> Any:
    """The clock."""
    return NOW + timedelta(seconds=state["seconds"])


def active(state: State) -> list[Raw]:
    """Pods that may still run."""
    return [pod for pod in state["pods"] if pod["status"]["phase"] in ("Pending", "Running")]


def touch(state: State) -> None:
    """The resource has a new version, which nobody has seen."""
    state["is as seen"] = False
    if state["late"]:
        state["late"] = [*state["late"][:2], False]


def remove_if_free(state: State) -> None:
    """A resource under deletion goes when nothing holds it."""
    meta = state["resource"]["metadata"]
    if "deletionTimestamp" in meta and not meta["finalizers"]:
        state["resource"] = None


def is_orphan(state: State, job: Raw) -> bool:
    """Whether the Job belongs to a resource that is gone."""
    owners = {owner["uid"] for owner in job["metadata"].get("ownerReferences", [])}
    return bool(owners) and (state["resource"] is None or state["resource"]["metadata"]["uid"] not in owners)


def pods_of(state: State, name: str) -> list[Raw]:
    """Pods of that Job."""
    uid = state["jobs"][name]["metadata"]["uid"]
    return [pod for pod in state["pods"] if owner_of(pod) == uid]


def owner_of(pod: Raw) -> str:
    """UID of the pod's Job."""
    return str(pod["metadata"]["ownerReferences"][0]["uid"])


def container_of(pod: Raw) -> Raw:
    """The worker's container as its status has it."""
    container: Raw = pod["status"]["containerStatuses"][0]
    return container
