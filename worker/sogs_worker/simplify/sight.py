"""How well cameras see splats, and how finely."""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.encode.importance import quantile

PIXEL = 5e-4
"""Standard deviation of the blur that splats are compared with, in radii of the box of the central splats. That is a
picture's blur from where the box fills 1,000 pixels; viewers of trained scenes come so near."""

CENTRAL = (0.05, 0.95)
"""Quantiles of the positions, on each axis, between which that box is."""

SMALLEST = 1e-15
"""Least standard deviation of the blur, world units, in a scene whose splats are all in one place."""

SATURATED_SHARE = 0.99
"""Quantile above which all splats are seen equally well."""

LEAST = 1e-5
"""What a splat that no camera sees counts for, of one that is seen well: others stand where these did not."""

TRUST = 0.5
"""How much what cameras saw counts beside what can be said without them."""


def blur_variance(positions: Tensor) -> float:
    """Choose the variance of the blur, world units squared, for a scene with positions (N, 3)."""
    low, high = (quantile(positions.double(), share) for share in CENTRAL)
    return max(PIXEL * float((high - low).norm()) / 2, SMALLEST) ** 2


def sights(seen: Tensor, energies: Tensor, positions: Tensor) -> Tensor:
    """Estimate how much of a splat's light views show, (N,) float64 in (0, 1].

    That is what cameras saw of it, over what it would add to a view from the same distance were nothing before it; and
    as much again from its distance alone, as in `encode.importance`.

    Args:
        seen: (N,) float64, >= 0, energies in rendered views, in any unit.
        energies: (N,) float64, > 0, alpha^2 times the area in the world.
        positions: (3, N) float64.
    """
    shares = seen / energies
    squared = (positions - quantile(positions.T, 0.5)[:, None]).square().sum(dim=0)
    near = 1 / (squared + quantile(squared, 0.5) + torch.finfo(torch.float64).tiny)
    return _saturated(shares) ** TRUST * _saturated(near) ** (1 - TRUST)


def _saturated(values: Tensor) -> Tensor:
    top = quantile(values, SATURATED_SHARE).clamp_min(torch.finfo(torch.float64).tiny)
    return (values / top).clamp(LEAST, 1)
