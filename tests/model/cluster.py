"""A cluster as a value: what the API server holds about one resource, as a plain dictionary.

A step is a function that changes one; `steps` lists those that can happen. The operator's go through its real store,
parsing, decisions and patches (`operation`); the others do as they are documented to (`surroundings`, `kueue`), or as
they like (`disturbances`, `hands`).
"""

from __future__ import annotations

import copy
import hashlib
import marshal
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from compressions import KEY, NOW, SPEC
from splat_operator.api.names import LABEL_COMPRESSION, LABEL_MANAGED_BY, MANAGER

State = dict[str, Any]
Raw = dict[str, Any]
Step = Callable[[State], None]

KINDS = ("resource", "jobs", "pods")
LABELS = {LABEL_MANAGED_BY: MANAGER, LABEL_COMPRESSION: KEY.name}
"""By which the operator's lists and watches select."""


def begin(*, budget: dict[str, int], spec: Raw | None = None, edits: list[Raw] | None = None, kueue: str = "") -> State:
    """The state after `kubectl apply`. `budget` says how often each disturbance may happen, `edits` what users do."""
    state: State = {
        "seconds": 0,
        "resource": None,
        "jobs": {},
        "pods": [],
        "published": [],
        "kueue": kueue,
        # The operator: what its store has of each kind where that is not what there is, and the pass under way.
        "views": dict.fromkeys(KINDS),
        "to list": [],
        "departed": False,
        "standby": None,
        "looked": None,
        "plan": [],
        "about": None,
        "otherwise": {},
        "is as seen": False,
        "late": None,
        "answers": [],
        # What may still happen.
        "budget": budget,
        "edits": edits or [],
        # What promises are about.
        "uids": 0,
        "told": {},
        "ended": {},
        "finished": {},
        "made": {},
        "excused": 0,
        "is result lost": False,
        "by hand": 0,
        "tried": None,
        "taken along": [],
        "released": [],
        "deleted for": [],
        "broken": "",
    }
    apply(state, {**copy.deepcopy(dict(SPEC)), "retries": 1, **(spec or {})})
    return state


def apply(state: State, spec: Raw) -> None:
    """Make the resource."""
    state["resource"] = {
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": new_uid(state),
            "generation": 1,
            "resourceVersion": "1",
            "finalizers": [],
        },
        "spec": spec,
        "status": {},
    }
    touch(state)


def key_of(packed: bytes) -> bytes:
    """What makes two states, or parts of them, the same.

    Equal ones whose dictionaries were filled in different orders count as two, which is rare and only takes time.
    """
    return hashlib.blake2b(packed, digest_size=16).digest()


def pack(value: Any) -> bytes:
    """A state, or a part of one, as bytes."""
    return marshal.dumps(value, 2)


def unpack(data: bytes) -> State:
    """A state of its own."""
    state: State = marshal.loads(data)  # noqa: S302 - it comes from nowhere else
    return state


def copy_of(state: State) -> State:
    """One that may be changed."""
    return unpack(pack(state))


def at_rest(state: State) -> State:
    """One of the same cluster, where nobody disturbs and the operator's store has all that there is."""
    idle = {"views": dict.fromkeys(KINDS), "to list": [], "departed": False, "standby": None, "looked": None}
    return {**copy_of(state), **idle, "budget": {}, "edits": []}


def listed(state: State, kind: str) -> list[Raw]:
    """What the API server lists of a kind to who selects by the operator's labels."""
    if kind == "resource":
        return [shown(state["resource"])] if state["resource"] else []
    if kind == "pods":
        return [shown(pod) for pod in state["pods"]]
    jobs = [shown(job) for job in state["jobs"].values() if is_labelled(job)]
    return sorted(jobs, key=lambda job: str(job["metadata"]["uid"]))


def is_labelled(raw: Raw) -> bool:
    """Whether the operator's lists and watches have the object."""
    return bool(raw["metadata"]["labels"].items() >= LABELS.items())


def shown(raw: Raw) -> Raw:
    """The object without what only the model knows of it."""
    return {part: raw[part] for part in ("metadata", "spec", "status") if part in raw}


def new_uid(state: State) -> str:
    """One that nothing has had before."""
    state["uids"] += 1
    return f"uid-{state['uids']}"


def now(state: State) -> datetime:
    """The clock."""
    return NOW + timedelta(seconds=state["seconds"])


def active(state: State) -> list[Raw]:
    """Pods that may still write to the destination."""
    return [pod for pod in state["pods"] if pod["status"]["phase"] in ("Pending", "Running") and "other" not in pod]


def touch(state: State) -> None:
    """The resource has a new version, which nobody has seen."""
    state["is as seen"] = False
    if state["late"]:
        state["late"] = {**state["late"], "is as seen": False}


def remove_if_free(state: State) -> None:
    """A resource under deletion goes when nothing holds it."""
    meta = state["resource"]["metadata"]
    if "deletionTimestamp" in meta and not meta["finalizers"]:
        state["resource"] = None


def is_orphan(state: State, job: Raw) -> bool:
    """Whether the Job belongs to a resource that is gone."""
    owners = {owner["uid"] for owner in job["metadata"].get("ownerReferences", [])}
    alive = state["resource"]["metadata"]["uid"] if state["resource"] else None
    return bool(owners) and alive not in owners and "other" not in job


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


def count(state: State, table: str, what: str) -> None:
    """Count up to a few: more would make more states and find no more faults."""
    state[table][what] = min(4, state[table].get(what, 0) + 1)
