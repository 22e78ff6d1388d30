"""All that can happen next."""

from __future__ import annotations

from collections.abc import Iterator

from model.cluster import State, Step
from model.disturbances import disturbances
from model.operation import Reconcile, operator_steps
from model.surroundings import surrounding_steps


def steps(state: State, reconcile: Reconcile) -> Iterator[tuple[str, Step]]:
    """The steps that can be taken from a state, by name."""
    yield from operator_steps(state, reconcile)
    yield from surrounding_steps(state)
    yield from disturbances(state)
