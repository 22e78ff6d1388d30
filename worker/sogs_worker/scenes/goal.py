"""Searches for the number of splats whose output has a wanted measure, in few trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

TRIALS = 8
"""Most of one search; two or three are usual."""
STEEPER = 4.0
"""How many times as steep or flat as usual the slope between trials is taken to be, at most: trials scatter."""


@dataclass(frozen=True)
class Goal:
    """What is wanted of a measure that grows with the number of splats.

    Attributes:
        low: least value that is good enough.
        high: greatest value that is good enough.
        slope: by how much the value grows from one number of splats to e times as many, about.
    """

    low: float
    high: float
    slope: float


def search(goal: Goal, most: int, first: int, measure: Callable[[int], float]) -> int:
    """Try numbers of splats until one is good enough, or none can be.

    Args:
        goal: what is wanted.
        most: splats that there are.
        first: number to begin with.
        measure: of an output with so many splats; trials that came before need not be repeated.

    Returns:
        The last number tried; where `TRIALS` are over or nothing is good enough, another may be nearer.
    """
    values: dict[int, float] = {}
    following: int | None = min(max(first, 1), most)
    while following is not None:
        count, following = following, None
        values[count] = measure(count)
        if not goal.low <= values[count] <= goal.high and len(values) < TRIALS:
            following = next_trial(goal, most, values)
    return count


def search_twice(
    goal: Goal,
    most: int,
    first: int,
    estimate: Callable[[int], float],
    measure: Callable[[int], float],
    gain: float,
) -> int:
    """Choose the first number to measure, and how the measure grows, by estimates, which cost little beside it.

    Args:
        goal: what is wanted of `measure`.
        most: splats that there are.
        first: number to begin with.
        estimate: of what is measured; it may scatter.
        measure: see `search`.
        gain: by how much it exceeds an estimate, about.

    Returns:
        The last number measured; see `search`.
    """
    estimates: dict[int, float] = {}

    def noted(count: int) -> float:
        estimates[count] = estimate(count)
        return estimates[count]

    wanted = replace(goal, low=goal.low - gain, high=goal.high - gain)
    begin = search(wanted, most, first, noted)
    return search(replace(goal, slope=_slope(goal, estimates)), most, begin, measure)


def next_trial(goal: Goal, most: int, values: Mapping[int, float]) -> int | None:
    """Choose a number between those that gave too little and those that gave too much; None if none is left.

    Args:
        goal: what is wanted.
        most: splats that there are.
        values: of the trials in their order, at least one, none of them good enough.
    """
    below = max((count for count, value in values.items() if value < goal.low), default=0)
    above = min((count for count, value in values.items() if value > goal.high), default=most + 1)
    if above - below <= 1:
        return None
    middle = (goal.low + goal.high) / 2
    if below and above <= most:
        # Where trials fall on one side again and again, the other end counts less and less (the Illinois method).
        sides = [value < goal.low for value in values.values()]
        again = next((number for number, side in enumerate(reversed(sides)) if side != sides[-1]), len(sides)) - 1
        low, high = middle - values[below], values[above] - middle
        low, high = (low, high / 2**again) if sides[-1] else (low / 2**again, high)
        logarithm = math.log(below) + low / (low + high) * math.log(above / below)
    else:
        # Where trials stay on one side although the slope between them is known, steps grow: the measure levels off.
        nearest, longer = below or above, 2 ** max(len(values) - 2, 0)
        logarithm = math.log(nearest) + longer * (middle - values[nearest]) / _slope(goal, values)
    return min(max(round(math.exp(min(logarithm, math.log(most)))), below + 1), above - 1)


def _slope(goal: Goal, values: Mapping[int, float]) -> float:
    """Return the slope between the outermost trials, within a factor of `STEEPER` of what is usual."""
    few, many = min(values), max(values)
    if few == many:
        return goal.slope
    found = (values[many] - values[few]) / math.log(many / few)
    return min(max(found, goal.slope / STEEPER), goal.slope * STEEPER)
