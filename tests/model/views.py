"""What the operator's store has: of each kind what there is, or what there was at some earlier moment.

Three watches feed it, each of which may be behind by any number of changes, and never goes back. The answers to the
operator's own writes are in it at once. A view is kept only where it differs from what there is.
"""

from __future__ import annotations

from compressions import KEY, SETTINGS
from model.cluster import KINDS, LABELS, Raw, State, listed
from splat_operator.api.model import Observed
from splat_operator.api.names import PLURAL
from splat_operator.cluster.paths import JOBS, PODS
from splat_operator.cluster.store import Store

_KINDS = {"resource": PLURAL, "jobs": JOBS, "pods": PODS}
_GHOST = {
    "metadata": {
        "name": "gone",
        "namespace": KEY.namespace,
        "uid": "gone",
        "resourceVersion": "1",
        "labels": LABELS,
    }
}
"""A pod that the store has seen and that is gone."""


def seen(state: State, kind: str) -> list[Raw]:
    """What the store has of a kind."""
    view: list[Raw] | None = state["views"][kind]
    return listed(state, kind) if view is None else view


def behind(state: State) -> list[str]:
    """Kinds whose watch has not brought all that there is."""
    return [kind for kind in KINDS if state["views"][kind] is not None]


def fall_behind(before: State, after: State) -> None:
    """What has changed is not in the store yet, where views may still be behind; the answers to own writes are."""
    for kind in KINDS:
        if after["views"][kind] is None and kind not in after["to list"]:
            old = listed(before, kind)
            after["views"][kind] = None if old == listed(after, kind) else old
    for kind, raw in after["answers"]:
        _put(after, kind, raw)
    after["answers"] = []
    if not after["budget"].get("stale"):
        for kind in behind(after):
            catch_up(after, kind)


def catch_up(state: State, kind: str) -> None:
    """The watch of a kind brings what there is."""
    gone = _uids(seen(state, kind)) - _uids(listed(state, kind))
    if gone and kind != "resource":
        state["departed"] = True
    state["views"][kind] = None


def hear_all(state: State) -> None:
    """More time passes than any watch is behind."""
    for kind in behind(state):
        catch_up(state, kind)
    state["standby"] = state["standby"] and {kind: listed(state, kind) for kind in KINDS}


def is_under_way(state: State) -> bool:
    """Whether something has begun that is over in less time than that: a request, or the lists of a new process."""
    return bool(state["late"] or state["to list"])


def observe(kinds: dict[str, list[Raw]], *, has_departed: bool) -> Observed | None:
    """What the real store makes of it."""
    store = Store(SETTINGS.controller_name, clock=lambda: 0.0)
    if has_departed:
        store.put(PODS, _GHOST)
        store.remove(PODS, _GHOST)
    for kind, raws in kinds.items():
        for raw in raws:
            store.put(_KINDS[kind], raw)
    return store.observe(KEY)


def _put(state: State, kind: str, raw: Raw) -> None:
    """The answer to a write, unless the view has it already."""
    view = state["views"][kind]
    if view is None:
        return
    uid = raw["metadata"]["uid"]
    # A resource of that name with another UID is a later one.
    others = [] if kind == "resource" else [each for each in view if each["metadata"]["uid"] != uid]
    view = sorted([*others, raw], key=lambda each: str(each["metadata"]["uid"]))
    state["views"][kind] = None if view == listed(state, kind) else view


def mark_deleting(state: State, uid: str) -> Raw | None:
    """The Job as the store has it, marked as one that is being deleted; None where it has none."""
    job = next((each for each in seen(state, "jobs") if each["metadata"]["uid"] == uid), None)
    return job and {**job, "metadata": {**job["metadata"], "deletionTimestamp": job["metadata"]["creationTimestamp"]}}


def _uids(raws: list[Raw]) -> set[str]:
    return {str(raw["metadata"]["uid"]) for raw in raws}
