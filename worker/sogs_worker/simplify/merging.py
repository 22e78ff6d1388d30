"""What merges and removals do to rendered views: the squared error that they leave.

A splat is `alpha c G` in a projection, c being its colour. The error is that of light which adds up, without what
splats hide of each other, and has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.simplify.ellipsoids import ENTRIES
from sogs_worker.simplify.moments import Moments
from sogs_worker.simplify.projections import ACROSS, DOWN, Ellipses, measured, overlap

LARGEST_ALPHA = 0.999


@dataclass(frozen=True)
class Merge:
    """P pairs of splats, as one splat each.

    Attributes:
        shares: (P,) float64, the first one's part of the mass.
        alphas: (P,) float64, opacity.
        costs: (P,) float64, the error in views that the merge leaves, 0 to infinity.
    """

    shares: Tensor
    alphas: Tensor
    costs: Tensor


def removal_costs(splats: Moments, ellipses: Ellipses) -> Tensor:
    """Return the error in views that the removal of each splat leaves, (N,) float64, 0 to infinity."""
    return _finite(splats.sights * splats.alphas.square() * splats.norms * ellipses.area / 2)


def weigh_merges(one: Moments, other: Moments, first: Ellipses, second: Ellipses) -> Merge:
    """Judge merges of P pairs; the new Gaussian has the mean and covariance of both by their mass, alpha times area.

    Its opacity keeps the mass, less what one hides of the other where they overlap.

    Args:
        one: the first splat of each pair.
        other: the second.
        first: ellipses of the first.
        second: ellipses of the second.
    """
    mass, other_mass = one.alphas * first.area, other.alphas * second.area
    share = mass / (mass + other_mass)
    rest = 1 - share
    offset = one.positions - other.positions
    x, y = offset[ACROSS], offset[DOWN]
    entries = share * first.entries + rest * second.entries
    entries += (share * rest) * torch.stack([x * x, x * y, y * y], dim=1)
    new = measured(entries, first.variance)

    between = overlap(first, second, x, y)
    alphas = (mass + other_mass - one.alphas * other.alphas * between) / new.area
    alphas = alphas.clamp_max(LARGEST_ALPHA)

    alike = (one.colours * other.colours).sum(dim=1).double()
    to_first = share * one.norms + rest * alike
    to_second = share * alike + rest * other.norms
    before = (mass * one.alphas * one.norms + other_mass * other.alphas * other.norms) / 2
    before += 2 * one.alphas * other.alphas * alike * between
    after = alphas.square() * (share * to_first + rest * to_second) * new.area / 2
    shared = one.alphas * to_first * overlap(first, new, rest * x, rest * y)
    shared += other.alphas * to_second * overlap(second, new, share * x, share * y)
    sights = share * one.sights + rest * other.sights
    return Merge(share, alphas, _finite(sights * (before + after - 2 * alphas * shared)))


def merge(one: Moments, other: Moments, made: Merge) -> Moments:
    """Return the splats that pairs become."""
    share, rest = made.shares, 1 - made.shares
    offset = one.positions - other.positions
    outer = torch.stack([offset[row] * offset[column] for row, column in ENTRIES])
    colours = share.float()[:, None] * one.colours + rest.float()[:, None] * other.colours
    return Moments(
        positions=other.positions + share * offset,
        covariances=share * one.covariances + rest * other.covariances + (share * rest) * outer,
        alphas=made.alphas,
        colours=colours,
        norms=colours.square().sum(dim=1).double(),
        sights=share * one.sights + rest * other.sights,
        places=torch.full_like(one.places, -1),
    )


def _finite(costs: Tensor) -> Tensor:
    """Return costs from 0 up; infinite where colours are so large that they are no number."""
    return costs.clamp_min(0).nan_to_num(nan=torch.inf, posinf=torch.inf)
