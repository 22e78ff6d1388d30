"""One round: each splat finds its best partner, and the cheapest merges and removals of all are done."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.encode.budget import at_once
from sogs_worker.encode.order import hilbert_keys
from sogs_worker.encode.positions import log_transform
from sogs_worker.simplify.merging import merge, removal_costs, weigh_merges
from sogs_worker.simplify.moments import Moments, join
from sogs_worker.simplify.projections import project

NEIGHBOURS = 5
"""How many splats further along a curve a splat is paired with."""

CURVES = 2
"""Curves of a round: neighbours in space that are apart on one may be close on the other."""

BITS = 13
"""Of a cell's coordinates: the scene is 4,096 cells wide, and splats in one cell follow each other in any order."""

GOLDEN = (5**0.5 - 1) / 2

PAIRS = {"cpu": 1 << 15, "cuda": 1 << 20}
"""Pairs that are looked at at once, 1 kB each: on the CPU few enough for its cache."""

TINY = 1e-300
JITTER = 2**-7
"""By how much costs differ that are the same: of many equal splats, pairs are to be found, not one long chain."""


@dataclass(frozen=True)
class Round:
    """What a round leaves.

    Attributes:
        splats: that are left; the merged ones last.
        merged: how many fewer they are because two became one.
        pruned: how many were removed.
    """

    splats: Moments
    merged: int
    pruned: int


def reduce(splats: Moments, variance: float, *, most: int, number: int) -> Round:
    """Merge pairs of splats and remove others, those whose loss costs least, `most` in all or fewer.

    At least one is lost, so that rounds come to an end.

    Args:
        splats: two or more.
        variance: of the blur, see `Ellipses`.
        most: how many fewer they may be.
        number: of the round, from 0; each has other curves.
    """
    splats, partners, costs = find_partners(splats, variance, number)
    removals = removal_costs(splats, project(splats.covariances, variance))
    alone = removals <= costs
    places = torch.arange(len(splats), device=costs.device)
    is_pair = (partners[partners] == places) & (places < partners) & ~alone & ~alone[partners]
    first, single = is_pair.nonzero()[:, 0], alone.nonzero()[:, 0]
    chosen = torch.cat([costs[first], removals[single]]).argsort(stable=True)[:most]
    first, single = first[chosen[chosen < len(first)]], single[chosen[chosen >= len(first)] - len(first)]
    second = partners[first]

    one, other = splats.take(first), splats.take(second)
    ellipses = project(one.covariances, variance), project(other.covariances, variance)
    new = merge(one, other, weigh_merges(one, other, *ellipses))
    is_left = torch.ones_like(alone)
    is_left[torch.cat([first, second, single])] = False
    return Round(join(splats.take(is_left.nonzero()[:, 0]), new), len(first), len(single))


def find_partners(splats: Moments, variance: float, number: int) -> tuple[Moments, Tensor, Tensor]:
    """Find for each splat the neighbour with which it is merged at the least cost.

    Returns:
        The splats in another order; and of each the neighbour's place in it, (N,) int64, and the cost, (N,) float64:
        its own place and infinite where there is none.
    """
    places = torch.arange(len(splats), device=splats.alphas.device)
    partners, costs = places.clone(), torch.full_like(splats.alphas, torch.inf)
    piece = at_once(PAIRS, costs.device)
    for curve in range(CURVES):
        order = curve_order(splats.positions, CURVES * number + curve)
        splats, costs, partners = splats.take(order), costs[order], order.argsort()[partners[order]]
        ellipses = project(splats.covariances, variance)
        for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            for begin in range(0, len(order) - step, piece):
                one = slice(begin, min(begin + piece, len(order) - step))
                other = slice(one.start + step, one.stop + step)
                made = weigh_merges(splats.take(one), splats.take(other), ellipses.take(one), ellipses.take(other))
                found = (made.costs + TINY) * (1 + JITTER * _noise(places[one], step))
                for these, those in ((one, other), (other, one)):
                    is_better = found < costs[these]
                    costs[these] = torch.where(is_better, found, costs[these])
                    partners[these] = torch.where(is_better, places[those], partners[these])
    return splats, partners, costs


def curve_order(positions: Tensor, number: int) -> Tensor:
    """Order splats along a Hilbert curve through log-transformed space, each number another one.

    Its cube is twice as wide as the scene, so that the scene can lie elsewhere in it for each.

    Args:
        positions: (3, N) float64, finite.
        number: 0 and more.

    Returns:
        (N,) int64, the splat that comes i-th.
    """
    logs = log_transform(positions.float()).roll(number, dims=0)
    low = logs.amin(dim=1, keepdim=True)
    extent = (logs.amax(dim=1, keepdim=True) - low).max().clamp_min(torch.finfo(torch.float32).tiny)
    within = ((logs - low) / extent + (number * GOLDEN) % 1) / 2
    return hilbert_keys((within * (2**BITS - 1)).long().T, BITS).sort(stable=True).indices


def _noise(places: Tensor, step: int) -> Tensor:
    """Return numbers from 0 to 1 that look random, (N,), of the splats at places and those `step` further on."""
    mixed = places * 73856093 ^ step * 19349663  # primes
    return ((mixed ^ (mixed >> 13)) & 0xFFFF).double() / 2**16
