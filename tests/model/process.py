"""Processes of the operator: one ends and another begins, or has watched beside it and takes over."""

from __future__ import annotations

from collections.abc import Iterator

from model.cluster import KINDS, State, Step, listed
from model.disturbances import spending

LISTS = KINDS
"""The order in which a new process lists."""
IS_IN_DOUBT = True
"""Whether a process reckons with what was written and what no watch has brought: by the one before, or by itself in a
request that was not answered."""


def process_steps(state: State) -> Iterator[tuple[str, Step]]:
    if state["to list"]:
        yield f"list {state['to list'][0]}", list_next
    if state["plan"] and state["budget"].get("crash"):
        yield "crash", spending("crash", crash)
    if state["standby"]:
        yield "another process takes over", take_over
    elif state["budget"].get("standby"):
        yield "another process watches", spending("standby", watch_beside)


def crash(state: State) -> None:
    """The process ends. The next one has listed the resource, and will list Jobs, then pods."""
    drop_pass(state)
    state["views"], state["departed"] = dict.fromkeys(KINDS), False
    state["to list"] = [kind for kind in LISTS if kind != "resource"]


def list_next(state: State) -> None:
    """A new process lists the next kind."""
    kind, *state["to list"] = state["to list"]
    state["views"][kind] = None


def watch_beside(state: State) -> None:
    """Another process, which does not act yet, has this in its store."""
    state["standby"] = {kind: listed(state, kind) for kind in KINDS}


def take_over(state: State) -> None:
    """The other process acts from now on. What it knows is its own, and may be older than what the first one knew."""
    drop_pass(state)
    known, state["standby"] = state["standby"], None
    state["views"] = {kind: None if known[kind] == listed(state, kind) else known[kind] for kind in KINDS}
    state["departed"] = IS_IN_DOUBT


def drop_pass(state: State) -> None:
    """The pass under way ends where it is."""
    state["plan"], state["looked"], state["about"] = [], None, None
    state["otherwise"], state["is as seen"] = {}, False


def lose_answer(state: State, *, of_a_new_job: bool) -> None:
    """A request was not answered, so the pass is repeated."""
    drop_pass(state)
    state["departed"] = state["departed"] or (of_a_new_job and IS_IN_DOUBT)
