"""What users do, and what goes wrong: each as often as the state's budget says."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from compressions import SPEC
from model.cluster import State, Step, apply, now, owner_of, remove_if_free, touch
from model.surroundings import EXITS, delete_job, end_pod, on_job, on_pod, remove_pod
from splat_operator.api.names import LABEL_QUEUE
from splat_operator.api.times import format_time


def disturbances(state: State) -> Iterator[tuple[str, Step]]:
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
    done = [owner_of(pod) for pod in state["pods"] if pod["status"]["phase"] == "Succeeded"]
    for place, pod in enumerate(state["pods"]):
        if budget.get("lose pod") and pod["status"]["phase"] == "Succeeded" and done.count(owner_of(pod)) > 1:
            yield f"lose pod {place}", spending("lose pod", on_pod(remove_pod, place))
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
    touch(state)


def delete(state: State) -> None:
    """`kubectl delete`: gone at once unless a finalizer holds it."""
    meta = state["resource"]["metadata"]
    meta["deletionTimestamp"] = format_time(now(state))
    touch(state)
    if meta["finalizers"] and state["resource"]["spec"].get("deletionPolicy") == "Delete":
        state["taken along"] = [*state["taken along"], meta["uid"]]
    remove_if_free(state)


def wait(state: State) -> None:
    """More time than any deadline gives."""
    state["seconds"] += 1000
