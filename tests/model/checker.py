"""Breadth-first search through all states that can be reached, with the promises checked in each of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from model.cluster import State, at_rest, key_of, pack, unpack
from model.mind import Mind, Reconcile
from model.rounds import go_round
from model.steps import following, moves
from model.stillness import unrest

Promise = Callable[[State], str | None]
"""What is broken in a state, or None."""

MAX_ROUNDS = 60
LONG_S = 100_000
"""More than anything waits for."""


@dataclass
class Report:
    """What a search has found."""

    states: int = 0
    broken: str = ""
    """The first broken promise, empty where all are kept."""
    trace: list[str] = field(default_factory=list)
    """The steps that lead to it."""
    is_complete: bool = True
    """Whether every reachable state was seen."""


class Judge:
    """Whether a state is as it should be, and will be; it remembers what is known to come out well.

    Every promise must hold, the operator alone must come to rest, and the goal must be reached, and kept, once users
    leave the resource alone and everybody else does what he has to.
    """

    def __init__(self, mind: Mind, promises: Iterable[Promise], goal: Promise) -> None:
        self._mind = mind
        self._promises = list(promises)
        self._goal = goal
        self._calm: set[bytes] = set()
        self._still: set[bytes] = set()

    def fault(self, state: State) -> str | None:
        """What is wrong, or None."""
        return self._broken(state) or unrest(state, self._mind, self._still) or self._settle(state)

    def _broken(self, state: State) -> str | None:
        return next((words for promise in self._promises if (words := promise(state))), None)

    def _settle(self, state: State) -> str | None:
        """Let everybody but users go on in a fair order until nothing changes; then the goal must hold."""
        passed: list[bytes] = []
        state = at_rest(state)
        for _ in range(MAX_ROUNDS):
            key = key_of(pack(state))
            if key in self._calm:
                break
            if passed and key == passed[-1]:
                # Everything that waits for a moment gets it, once; what is over stays over.
                if state["seconds"] >= LONG_S:
                    if words := self._goal(state):
                        return f"it comes to rest, but {words}"
                    break
                state["seconds"] += LONG_S
            passed.append(key)
            go_round(state, self._mind)
            if broken := self._broken(state):
                return broken
        else:
            return "it never comes to rest"
        self._calm.update(passed)
        return None


def explore(start: State, reconcile: Reconcile, promises: Iterable[Promise], goal: Promise, *, limit: int) -> Report:
    """Search from `start` until a promise is broken or nothing is left, or `limit` states were seen."""
    report, mind = Report(), Mind(reconcile)
    judge = Judge(mind, promises, goal)
    came_from: dict[bytes, tuple[bytes, str]] = {}
    packed = pack(start)
    seen, waiting = {key_of(packed)}, deque([packed])
    while waiting:
        packed = waiting.popleft()
        key, state = key_of(packed), unpack(packed)
        report.states += 1
        if broken := judge.fault(state):
            report.broken, report.trace = broken, _trace(came_from, key)
            return report
        if len(seen) >= limit:
            report.is_complete = False
            continue
        for move in moves(state, mind):
            after = pack(following(state, move))
            next_key = key_of(after)
            if next_key not in seen:
                seen.add(next_key)
                came_from[next_key] = (key, move.name)
                waiting.append(after)
    return report


def _trace(came_from: dict[bytes, tuple[bytes, str]], key: bytes) -> list[str]:
    names = []
    while key in came_from:
        key, name = came_from[key]
        names.append(name)
    return names[::-1]
