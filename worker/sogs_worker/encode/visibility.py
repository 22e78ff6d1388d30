"""How much splats matter to pictures, which weighs the errors of quantisation."""

from __future__ import annotations

import numpy as np

from sogs_worker.splats import Floats, Splats

WEIGHT_RANGE = 1e-4
"""The least visible splat still weighs this much of the most visible one, so that no splat is free to be wrong."""


def visibility(splats: Splats) -> Floats:
    """Estimate how much each splat contributes to pictures: alpha times the area that it covers on a screen.

    The area is the product of the two longer axes over the squared distance to a viewer who stands near the middle of
    the scene (its median position), at least the median distance away. It is relative to the 99th percentile, above
    which all splats weigh the same: a few huge ones must not take the whole palette.

    Returns:
        (N,) float32 in [1e-4, 1].
    """
    alpha = -np.logaddexp(0.0, -splats.opacities.astype(np.float64))
    axes = np.sort(splats.scales.astype(np.float64), axis=1)
    offsets = splats.positions.astype(np.float64) - np.median(splats.positions.astype(np.float64), axis=0)
    squared = (offsets**2).sum(axis=1)
    logs = alpha + axes[:, 1] + axes[:, 2] - np.log(squared + np.median(squared) + np.finfo(np.float64).tiny)
    relative = np.clip(logs - np.percentile(logs, 99), np.log(WEIGHT_RANGE), 0)
    weights: Floats = np.exp(relative).astype(np.float32)
    return weights


def axis_visibility(splats: Splats) -> Floats:
    """Estimate how much each axis of each splat contributes: the splat's visibility times its share of the longest.

    A surface's splats have an axis so thin that no picture shows its length; unweighted, those lengths, which spread
    over many powers of ten, take most entries of the codebook (measured on a real scene: 47.2 dB without weights,
    57.0 dB with them, and 7 % fewer bytes).

    Returns:
        (N, 3) float32, positive.
    """
    shares = np.exp(splats.scales.astype(np.float64) - splats.scales.max(axis=1, keepdims=True))
    weights: Floats = (visibility(splats)[:, None] * np.maximum(shares, WEIGHT_RANGE)).astype(np.float32)
    return weights
