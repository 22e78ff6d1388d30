"""When nothing else happens, the operator writes nothing a second time, and comes to rest by itself."""

from __future__ import annotations

from model.cluster import KINDS, Raw, State, at_rest, copy_of, is_labelled, pack
from model.mind import Mind
from model.operation import one_pass
from model.promises import is_deleting
from splat_operator.api.model import CountFinish, EmitEvent
from splat_operator.api.names import ANNOTATION_UID

PASSES = 8
"""After which the operator alone must have come to rest."""

_TOLD = {EmitEvent.__name__, CountFinish.__name__}


def unrest(state: State, mind: Mind, still: set[bytes]) -> str | None:
    """What the operator does again and again; `still` remembers what is known to come to rest."""
    if state["to list"] or state["looked"] is not None or state["plan"]:
        return None
    key = pack([state[part] for part in (*KINDS, "seconds")])
    if key in still:
        return None
    still.add(key)
    alone = {**at_rest(state), "late": None}
    changed: list[str] = []
    for _ in range(PASSES):
        before = copy_of(alone)
        planned = {name.partition(" ")[0] for name in one_pass(alone, mind)}
        changed, earlier = _changed(before, alone), changed
        if planned and planned <= _TOLD:
            return f"it tells what is no news: {sorted(planned)}"
        if not changed:
            return _disorder(alone)
        if changed == earlier == ["status"]:
            return "it writes the status twice with nothing new to see"
    return f"it never rests by itself, and goes on to change {' and '.join(changed)}"


def _disorder(state: State) -> str | None:
    """What the operator must not leave as it is when it rests, though a run goes on."""
    resource = state["resource"]
    if resource is None or is_deleting(state):
        return None
    for job in state["jobs"].values():
        meta, is_over = job["metadata"], "conditions" in job["status"]
        is_own = meta.get("annotations", {}).get(ANNOTATION_UID) == resource["metadata"]["uid"]
        if is_own and is_labelled(job) and not is_over and not meta.get("ownerReferences"):
            return f"it leaves {meta['name']} without its owner"
    return None


def _changed(before: State, after: State) -> list[str]:
    old, new = ({**state, **_halves(state["resource"])} for state in (before, after))
    return [part for part in ("status", "finalizers", "jobs", "pods") if old[part] != new[part]]


def _halves(resource: Raw | None) -> Raw:
    """What of a resource the operator writes; it is gone when its last finalizer goes."""
    return {
        "status": resource and resource["status"],
        "finalizers": resource and resource["metadata"]["finalizers"],
    }
