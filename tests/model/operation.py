"""A pass of the operator, in steps between which anything may happen.

It decides on what its store has, which may be behind; where that is not enough to know, it reads the API server, one
kind after the other, and decides anew. Then it executes one action after the other. An answer may be lost, and a
request may be carried out later than that, even after the end of the process that sent it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, combinations

from model.breaches import ends
from model.cluster import KINDS, State, Step, count, is_labelled, listed
from model.disturbances import spending
from model.mind import Decision, Mind, action_of
from model.process import crash, drop_pass, lose_answer
from model.requests import CONFLICT, NAME_TAKEN, carry_out
from model.views import behind, catch_up, seen
from splat_operator.api.model import CountFinish, CreateJob, EmitEvent, WriteStatus

READS = KINDS
"""The order in which a look at the API server itself reads."""
EVENTS_END_PASSES = False
"""A fault: a pass ends when an Event is not taken."""


def operator_steps(state: State, mind: Mind) -> Iterator[tuple[str, Step]]:
    if state["late"]:
        yield "act late", act_late
    if state["plan"]:
        yield from _acting(state)
    elif state["looked"] is not None:
        yield f"read {READS[len(state['looked'])]}", reader(mind)
    elif not state["to list"]:
        yield from _deciding(state, mind)


def _acting(state: State) -> Iterator[tuple[str, Step]]:
    budget = state["budget"]
    yield "act", act
    if state["plan"][0].startswith(WriteStatus.__name__):
        if budget.get("lose event"):
            yield "act, Events not taken", spending("lose event", act_without_events)
        if budget.get("refuse status"):
            yield "act, status refused", spending("refuse status", refuse_status)
    if budget.get("lose answer"):
        yield "act and hear no answer", spending("lose answer", act_without_answer)
    if budget.get("late") and not state["late"]:
        yield "send and hear no answer", spending("late", send)
        yield "send and crash", spending("late", send_and_crash)


def _deciding(state: State, mind: Mind) -> Iterator[tuple[str, Step]]:
    """Whatever watches have not brought may come right before the decision, or later."""
    lagging = behind(state)
    for old in chain.from_iterable(combinations(lagging, size) for size in range(len(lagging) + 1)):
        if old:
            yield f"decide, {' and '.join(old)} behind", spending("stale", decider(mind, old))
        else:
            yield "decide", decider(mind)
    if state["budget"].get("hear"):
        for kind in lagging:
            yield f"hear of {kind}", spending("hear", partial(catch_up, kind=kind))


def decider(mind: Mind, old: tuple[str, ...] = ()) -> Step:
    """A decision on what the store has, whose watches have brought all but the `old` kinds."""

    def decide(state: State) -> None:
        for kind in behind(state):
            if kind not in old:
                catch_up(state, kind)
        is_latest = state["views"]["resource"] is None
        decision = mind.decide(state, {kind: seen(state, kind) for kind in KINDS}, is_live=False)
        if decision.is_looking_again:
            state["looked"] = {}
        else:
            _plan(state, decision, is_latest=is_latest)

    return decide


def reader(mind: Mind) -> Step:
    """Read the next kind from the API server; after the last one, decide."""

    def read(state: State) -> None:
        kind = READS[len(state["looked"])]
        looked = {**state["looked"], kind: listed(state, kind)}
        if len(looked) < len(READS) and looked.get("resource") != []:
            state["looked"] = looked
            return
        state["looked"] = None
        is_latest = looked["resource"] == listed(state, "resource")
        _plan(state, mind.decide(state, looked, is_live=True), is_latest=is_latest)

    return read


def _plan(state: State, decision: Decision, *, is_latest: bool) -> None:
    if decision.plan:
        may_be_refused = {"status": state["budget"].get("refuse status"), "job": _may_be_taken(state)}
        state["plan"], state["about"] = decision.plan, decision.about
        state["otherwise"] = {what: plan for what, plan in decision.otherwise.items() if may_be_refused[what]}
        # A write with the version that was seen is refused once the resource has changed.
        state["is as seen"] = is_latest


def _may_be_taken(state: State) -> bool:
    """Whether a name that a Job is to have may be another's: of a Job that is none of the operator's, or not listed."""
    return any("other" in job or not is_labelled(job) for job in state["jobs"].values())


def one_pass(state: State, mind: Mind) -> list[str]:
    """A whole pass upon what there is, with nothing in between; returns what was planned."""
    state["views"], state["to list"], state["looked"] = dict.fromkeys(KINDS), [], None
    kinds = {kind: listed(state, kind) for kind in KINDS}
    decision = mind.decide(state, kinds, is_live=False)
    if decision.is_looking_again:
        decision = mind.decide(state, kinds, is_live=True)
    _plan(state, decision, is_latest=True)
    while state["plan"]:
        act(state)
    state["answers"] = []
    return decision.plan


def act(state: State, *, takes_events: bool = True) -> None:
    """The first action that is due, and what is told of it. One that is refused ends the pass, which is repeated."""
    name, *state["plan"] = state["plan"]
    action, before = action_of(name), state["resource"] and state["resource"]["status"]
    if isinstance(action, EmitEvent | CountFinish):
        state["plan"] = [name, *state["plan"]]
    else:
        outcome = carry_out(state, action, {**state["about"], "is as seen": state["is as seen"]})
        if outcome == CONFLICT:
            state["plan"] = []
        elif outcome == NAME_TAKEN:
            state["plan"] = state["otherwise"]["job"]
        elif isinstance(action, WriteStatus) and ends(before, state["resource"]["status"]):
            count(state, "ended", _told_of(state))
    _tell(state, takes_events=takes_events)
    _finish_pass(state)


def act_without_events(state: State) -> None:
    """The same, when no Event is taken."""
    act(state, takes_events=False)


def _tell(state: State, *, takes_events: bool) -> None:
    """Events are posted, and ends counted, right after the request before: no other comes between them."""
    while state["plan"]:
        action = action_of(state["plan"][0])
        if isinstance(action, CountFinish):
            count(state, "finished", _told_of(state))
        elif not isinstance(action, EmitEvent):
            return
        elif takes_events:
            count(state, "told", f"{state['about']['uid']} {action.reason} {_told_of(state)}")
        elif EVENTS_END_PASSES:
            state["plan"] = []
            return
        state["plan"] = state["plan"][1:]


def _finish_pass(state: State) -> None:
    if not state["plan"]:
        drop_pass(state)


def _told_of(state: State) -> str:
    status = state["resource"]["status"] if state["resource"] else {}
    run = f"{status.get('jobName')} of generation {status.get('observedGeneration')}"
    return f"{run} after {state['by hand']} changes by hand" if state["by hand"] else run


def refuse_status(state: State) -> None:
    """The API server finds the status invalid: a small one is written instead, which has forgotten what was said."""
    state["excused"] += 1
    state["plan"] = state["otherwise"]["status"]
    _finish_pass(state)


def act_without_answer(state: State) -> None:
    """The first request that is due is carried out, but the answer is lost."""
    send(state)
    act_late(state)


def send(state: State) -> None:
    """A request goes out whose answer does not come; it may be carried out at any time."""
    name = state["plan"][0]
    state["late"] = {"action": name, **state["about"], "is as seen": state["is as seen"]}
    lose_answer(state, of_a_new_job=isinstance(action_of(name), CreateJob))


def send_and_crash(state: State) -> None:
    """The same, and the process ends."""
    send(state)
    crash(state)


def act_late(state: State) -> None:
    """The request whose answer nobody hears. Nor does anybody tell of what comes of it."""
    late, state["late"] = state["late"], None
    carry_out(state, action_of(late["action"]), late, is_late=True)
