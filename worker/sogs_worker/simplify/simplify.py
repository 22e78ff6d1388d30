"""Down to a number of splats, in rounds: the cheapest merges and removals, then the next among what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sogs_worker.encode.clean import with_finite_scales
from sogs_worker.encode.cloud import Cloud
from sogs_worker.render.visibility import surveyed_energy
from sogs_worker.simplify.moments import Moments, describe, restore
from sogs_worker.simplify.rounds import reduce
from sogs_worker.simplify.sight import blur_variance

ROUND = 0.12
"""Share of the splats that a round removes, at most. With more, pairs are merged that are not the best any more; with
less, merges pile up where the first ones were cheap."""

FEW = 16
"""Splats that a round may remove in any case, so that a small scene takes few rounds."""

SEEING = 0.3
"""Share of the time until cameras have looked at all splats."""


@dataclass(frozen=True)
class Simplified:
    """What is left of a scene.

    Attributes:
        cloud: the splats.
        unchanged: how many of them, the first ones, are as they were in the scene.
        merged: how many fewer they are because two became one.
        pruned: how many were removed because views hardly show them.
    """

    cloud: Cloud
    unchanged: int
    merged: int = 0
    pruned: int = 0


class Simplification:
    """A scene on its way to fewer splats; one that has been reduced can be reduced further."""

    def __init__(self, cloud: Cloud, progress: Callable[[float], None] = lambda _: None) -> None:
        """Look at the splats, which must be usable; `progress` receives the fraction done."""
        self._cloud = cloud
        solid = replace(cloud, scales=with_finite_scales(cloud.scales))
        self._variance = blur_variance(cloud.positions)
        splats, self._mean = describe(solid, surveyed_energy(solid, progress), self._variance)
        self._states = [_State(splats)]

    def reduce_to(
        self, count: int, progress: Callable[[float], None] = lambda _: None, *, is_last: bool = False
    ) -> Simplified:
        """Go on from the smallest kept scene of at least `count` splats; what comes out is as if none were kept.

        What whole rounds lead to is kept: they are the same on the way to any smaller number.

        Args:
            count: 1 or more.
            is_last: lets all go that is kept, and keeps nothing.
            progress: receives the fraction done.
        """
        if len(self._cloud) <= count:
            return Simplified(self._cloud, len(self._cloud))
        state = min((each for each in self._states if len(each.splats) >= count), key=lambda each: len(each.splats))
        begin, reached = len(state.splats), None
        if is_last:
            self._states = []
        while (left := len(state.splats)) > count:
            whole = max(FEW, int(ROUND * left))
            done = reduce(state.splats, self._variance, most=min(left - count, whole), number=state.rounds)
            state = _State(done.splats, state.merged + done.merged, state.pruned + done.pruned, state.rounds + 1)
            if not is_last and (left - count >= whole or len(state.splats) > count):
                reached = state
            progress((begin - len(state.splats)) / (begin - count))
        if reached:
            self._states.append(reached)
        restored, unchanged = restore(state.splats, self._mean, self._cloud)
        return Simplified(restored, unchanged, state.merged, state.pruned)


@dataclass(frozen=True)
class _State:
    splats: Moments
    merged: int = 0
    pruned: int = 0
    rounds: int = 0


def simplify(cloud: Cloud, count: int, progress: Callable[[float], None] = lambda _: None) -> Simplified:
    """Reduce a scene to at most `count` splats such that rendered views change least.

    Neighbours are merged: the new splat has the mass (opacity times area), mean, covariance and colour of both. Splats
    that views hardly show are removed. On the CPU the same scene gives the same splats.

    Args:
        cloud: usable splats.
        count: 1 or more.
        progress: receives the fraction done.
    """
    if len(cloud) <= count:
        return Simplified(cloud, len(cloud))
    begun = Simplification(cloud, lambda done: progress(SEEING * done))
    return begun.reduce_to(count, lambda done: progress(SEEING + (1 - SEEING) * done), is_last=True)
