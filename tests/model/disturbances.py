"""What users do, and what goes wrong: each as often as the state's budget says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial

from compressions import SPEC
from model import kueue
from model.cluster import State, Step, apply, now, owner_of, remove_if_free, touch
from model.surroundings import EXITS, disrupt_pod, end_pod, is_read, lose_job, on_job, on_pod, remove_pod
from model.views import hear_all, is_under_way
from splat_operator.api.times import format_time


def disturbances(state: State) -> Iterator[tuple[str, Step]]:
    budget = state["budget"]
    yield from _of_pods(state)
    for name, job in state["jobs"].items():
        if budget.get("delete job"):
            yield f"delete job {name}", spending("delete job", on_job(lose_job, name))
        if budget.get("preempt") and kueue.is_managed(state, job) and not job["spec"].get("suspend"):
            yield f"preempt {name}", spending("preempt", on_job(kueue.preempt, name))
    if budget.get("wait") and not is_under_way(state):
        yield "wait", spending("wait", wait)
    if state["resource"] is None:
        if budget.get("apply again"):
            yield "apply again", spending("apply again", apply_again)
        return
    if state["edits"]:
        yield f"edit {state['edits'][0]}", edit
    if "deletionTimestamp" not in state["resource"]["metadata"]:
        for what, step in (("delete", delete), ("orphan", orphan)):
            if budget.get(what):
                yield what, spending(what, step)


def _of_pods(state: State) -> Iterator[tuple[str, Step]]:
    budget = state["budget"]
    done = [owner_of(pod) for pod in state["pods"] if pod["status"]["phase"] == "Succeeded"]
    for place, pod in enumerate(state["pods"]):
        phase = pod["status"]["phase"]
        if phase == "Running" and "deletionTimestamp" not in pod["metadata"] and "other" not in pod:
            for code in EXITS if budget.get("fail") else ():
                yield f"fail pod {place} {code}", spending("fail", partial(end_pod, place=place, code=code))
            if budget.get("disrupt"):
                yield f"disrupt pod {place}", spending("disrupt", on_pod(disrupt_pod, place))
        if phase == "Succeeded" and "counted" in pod:
            if budget.get("lose pod") and done.count(owner_of(pod)) > 1:
                yield f"lose pod {place}", spending("lose pod", on_pod(remove_pod, place))
            if budget.get("vanish"):
                yield f"pod {place} vanishes", spending("vanish", on_pod(vanish, place))


def spending(what: str, step: Step) -> Step:
    """The step, which can happen once less often then."""

    def spend(state: State) -> None:
        state["budget"] = {**state["budget"], what: state["budget"][what] - 1}
        step(state)

    return spend


def vanish(state: State, place: int) -> None:
    """A pod that has ended is removed, by a collector of pods or by hand.

    The result that it takes along is made anew once, if nobody has read it.
    """
    jobs = [job for job in state["jobs"].values() if job["metadata"]["uid"] == owner_of(state["pods"][place])]
    if not all(is_read(state, job) for job in jobs):
        state["is result lost"] = True
    remove_pod(state, place)


def edit(state: State) -> None:
    """The user's next edit."""
    change, *state["edits"] = state["edits"]
    resource = state["resource"]
    resource["spec"] |= change
    resource["metadata"]["generation"] += 1
    if resource["spec"].get("deletionPolicy") != "Delete" and "deletionTimestamp" in resource["metadata"]:
        state["released"] = [*state["released"], resource["metadata"]["uid"]]
    touch(state)


def delete(state: State) -> None:
    """`kubectl delete`: gone at once unless a finalizer holds it."""
    meta = state["resource"]["metadata"]
    meta["deletionTimestamp"] = format_time(now(state))
    touch(state)
    if meta["finalizers"] and state["resource"]["spec"].get("deletionPolicy") == "Delete":
        state["taken along"] = [*state["taken along"], meta["uid"]]
    remove_if_free(state)


def orphan(state: State) -> None:
    """`kubectl delete --cascade=orphan`: its Jobs lose their owner, then it goes as else."""
    for job in state["jobs"].values():
        if "other" not in job:
            job["metadata"].pop("ownerReferences", None)
    delete(state)


def apply_again(state: State) -> None:
    """`kubectl apply` of the same file."""
    apply(state, copy.deepcopy({**dict(SPEC), "retries": 1}))


def wait(state: State) -> None:
    """More time than any deadline gives, and than any watch is behind."""
    hear_all(state)
    state["departed"] = False
    state["seconds"] += 1000
