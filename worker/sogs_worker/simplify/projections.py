"""Gaussians as three orthogonal projections show them, along the axes of the world.

A rendered view has no depth either: what two splats add to it depends on how their ellipses overlap. G stands for the
Gaussian of height 1 that a splat is in a projection.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.simplify.ellipsoids import ENTRIES

PROJECTIONS = ((1, 2), (0, 2), (0, 1))
"""The two axes of the world that each projection shows."""

ACROSS, DOWN = (list(axes) for axes in zip(*PROJECTIONS, strict=True))
_XX = [ENTRIES.index((axis, axis)) for axis in ACROSS]
_XY = [ENTRIES.index(axes) for axes in PROJECTIONS]
_YY = [ENTRIES.index((axis, axis)) for axis in DOWN]


@dataclass(frozen=True)
class Ellipses:
    """N splats in three projections, blurred by what a pixel covers.

    Attributes:
        entries: (3, 3, N) float64, for each projection the covariance's xx, xy and yy.
        areas: (3, N) float64, the integral over G in each, over 2 pi.
        variance: of the blur, world units squared, above 0.
    """

    entries: Tensor
    areas: Tensor
    variance: float

    @property
    def area(self) -> Tensor:
        """Mean of the projections, (N,)."""
        return self.areas.mean(dim=0)

    def take(self, index: Tensor | slice) -> Ellipses:
        """Select or reorder splats by an index, mask or slice."""
        return Ellipses(self.entries[:, :, index], self.areas[:, index], self.variance)


def project(covariances: Tensor, variance: float) -> Ellipses:
    """Project covariances, (6, N) float64; `variance` is that of the blur."""
    entries = torch.stack([covariances[_XX] + variance, covariances[_XY], covariances[_YY] + variance], dim=1)
    return measured(entries, variance)


def measured(entries: Tensor, variance: float) -> Ellipses:
    """Make ellipses of their covariances, blurred by `variance`."""
    return Ellipses(entries, _determinants(entries, variance).sqrt(), variance)


def overlap(one: Ellipses, other: Ellipses, x: Tensor, y: Tensor) -> Tensor:
    """Return the integral over the product of two Gaussians, over 2 pi, mean of the projections, (N,).

    Args:
        one: of N splats.
        other: of N splats.
        x: (3, N) float64, from the mean of one to that of the other, in each projection.
        y: the same, across that.
    """
    sums = one.entries + other.entries
    xx, xy, yy = sums.unbind(dim=1)
    determinants = _determinants(sums, one.variance)
    distances = (yy * x * x - 2 * xy * x * y + xx * y * y) / determinants
    return (one.areas * other.areas * determinants.rsqrt() * torch.exp(-distances / 2)).mean(dim=0)


def _determinants(entries: Tensor, variance: float) -> Tensor:
    """Return (3, N) determinants, which are at least the blur's own; rounding might make them less."""
    xx, xy, yy = entries.unbind(dim=1)
    return (xx * yy - xy * xy).clamp_min(variance * variance)
