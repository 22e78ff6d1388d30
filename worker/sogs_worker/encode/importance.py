"""How much splats matter to pictures, which decides how finely they are quantised."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sogs_worker.encode.cloud import Cloud

LEAST = 1e-4
"""The least important splat still weighs this much of the most important one: no splat is free to be wrong."""

SATURATED_SHARE = 0.99
"""Quantile above which all splats weigh the same: a few huge ones must not take all the bytes."""

TRUST = 0.65
"""How much what cameras saw counts beside what can be said without them: others stand where these did not."""

HIDDEN = 1e-5
"""Energy, of the most that counts, that a splat which no camera saw is taken to have."""

COARSEST = 5
"""Greatest level: a splat's steps are up to 2^5 times as wide as those of the most important ones."""


def importance(cloud: Cloud, seen: Tensor) -> Tensor:
    """Estimate how much a splat counts in pictures, from its energy in some of them and from its size and opacity.

    Args:
        cloud: N splats.
        seen: (N,) float64, >= 0, energy of the splats as some cameras see them, in any unit.

    Returns:
        (N,) float32 in [1e-4, 1].
    """
    energies = seen / quantile(seen, SATURATED_SHARE).clamp_min(torch.finfo(torch.float64).tiny)
    logs = TRUST * energies.clamp(HIDDEN, 1).log() + (1 - TRUST) * _log_estimate(cloud)
    return logs.exp().clamp(LEAST, 1).float()


def _log_estimate(cloud: Cloud) -> Tensor:
    """Estimate the logarithm of a splat's energy where nothing hides it: the square of its alpha times its area.

    The area is the product of the two longer axes over the squared distance to a viewer who stands near the middle of
    the scene (its median position), at least the median distance away.

    Returns:
        (N,) float64, ln(1e-4) to 0.
    """
    alpha = torch.nn.functional.logsigmoid(cloud.opacities.double())
    axes = cloud.scales.double().sort(dim=1).values
    positions = cloud.positions.double()
    squared = (positions - quantile(positions, 0.5)).square().sum(dim=1)
    distance = (squared + quantile(squared, 0.5) + torch.finfo(torch.float64).tiny).log()
    logs = 2 * alpha + axes[:, 1] + axes[:, 2] - distance
    return (logs - quantile(logs, SATURATED_SHARE)).clamp(math.log(LEAST), 0)


def coarseness(weights: Tensor, strength: float) -> Tensor:
    """Choose how much wider than the finest a splat's steps may be.

    At equal bytes the error of a picture is least where steps are proportional to importance^(-1/2); `strength` below
    1 hedges against what the estimate of importance does not know, such as what hides a splat.

    Args:
        weights: (N,) in (0, 1].
        strength: 0 (all steps alike) to 1.

    Returns:
        (N,) int64, the logarithm to base 2 of the width, 0 to 5.
    """
    return (
        (-0.5 * strength * weights.double().clamp_min(torch.finfo(torch.float32).tiny).log2())
        .floor()
        .clamp(0, COARSEST)
        .long()
    )


def quantile(values: Tensor, share: float) -> Tensor:
    """Return the element, or row of elements, that `share` of the others along the first dimension lie below."""
    return values.sort(dim=0).values[int(share * (len(values) - 1))]
