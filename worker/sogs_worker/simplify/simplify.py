"""Down to a number of splats, in rounds: the cheapest merges and removals, then the next among what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sogs_worker.encode.clean import with_finite_scales
from sogs_worker.encode.cloud import Cloud
from sogs_worker.render.visibility import surveyed_energy
from sogs_worker.simplify.moments import describe, restore
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
        merged: how many fewer they are because two became one.
        pruned: how many were removed because views hardly show them.
    """

    cloud: Cloud
    merged: int = 0
    pruned: int = 0


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
        return Simplified(cloud)
    solid = replace(cloud, scales=with_finite_scales(cloud.scales))
    variance = blur_variance(cloud.positions)
    splats, mean = describe(solid, surveyed_energy(solid, lambda done: progress(SEEING * done)), variance)
    merged = pruned = number = 0
    while (left := len(splats)) > count:
        done = reduce(splats, variance, most=min(left - count, max(FEW, int(ROUND * left))), number=number)
        splats, merged, pruned, number = done.splats, merged + done.merged, pruned + done.pruned, number + 1
        progress(SEEING + (1 - SEEING) * (len(cloud) - len(splats)) / (len(cloud) - count))
    return Simplified(restore(splats, mean, cloud), merged, pruned)
