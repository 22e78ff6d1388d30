"""All that can happen next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from model.cluster import State, Step, copy_of
from model.disturbances import disturbances
from model.hands import by_hand
from model.mind import Mind
from model.operation import operator_steps
from model.process import process_steps
from model.surroundings import surrounding_steps
from model.views import fall_behind


class Move(NamedTuple):
    """A step and what it is called."""

    name: str
    step: Step


def moves(state: State, mind: Mind) -> Iterator[Move]:
    """The steps that can be taken from a state."""
    operator = (operator_steps(state, mind), process_steps(state))
    for steps in (*operator, surrounding_steps(state), disturbances(state), by_hand(state)):
        yield from (Move(name, step) for name, step in steps)


def following(state: State, move: Move) -> State:
    """The state after a step, which the operator's store has not heard of yet."""
    after = copy_of(state)
    move.step(after)
    fall_behind(state, after)
    return after
