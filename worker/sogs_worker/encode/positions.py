"""Positions on a grid of 16 bits an axis in log space, coarser for splats that are large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.lattice import snap
from sogs_worker.splats import WORLD, Origin

LEVELS = 65535
"""The highest step of a position's 16 bits."""


@dataclass(frozen=True)
class Means:
    """Positions on the grid.

    Attributes:
        steps: (N, 3) uint16.
        mins: (3,) float64, log-transformed position of step 0.
        maxs: (3,) float64, of step 65535; equal to `mins` where an axis has one value only.
    """

    steps: NDArray[np.uint16]
    mins: NDArray[np.float64]
    maxs: NDArray[np.float64]


def log_transform(values: Tensor) -> Tensor:
    """Compute sign(v) * ln(1 + |v|) in float64: fine near the origin and coarse far away."""
    wide = values.double()
    return wide.sign() * wide.abs().log1p()


def quantize_positions(positions: Tensor, tolerances: Tensor, origin: Origin = WORLD) -> Means:
    """Round positions to 65,536 even steps between the extremes of log space, and to a power of two of them.

    Args:
        positions: (N, 3) float32, finite, N >= 1.
        tolerances: (N, 3) float32, world units: the widest step that a splat may be rounded to; the grid's own step
            is used where that is wider.
        origin: of the positions; the grid is that of the world.
    """
    places = positions.double() + torch.tensor(origin, dtype=torch.float64, device=positions.device)
    logs = log_transform(places)
    low, high = logs.amin(dim=0), logs.amax(dim=0)
    if origin == WORLD:  # shorter numbers that put the ends in places as good
        low, high = low.float().double(), high.float().double()
    span = high - low
    steps = ((logs - low) * (LEVELS / torch.where(span > 0, span, torch.inf))).clamp(0, LEVELS)
    # Half a step outwards in log space is at most half of the tolerance in the world.
    widest = 2 * (tolerances.double() / (2 * (1 + places.abs()))).log1p()
    widths = widest / (span / LEVELS).clamp_min(torch.finfo(torch.float32).tiny)
    snapped = snap(steps, widths.clamp(1, LEVELS).log2().floor(), LEVELS)
    return Means(snapped.to(torch.uint16).cpu().numpy(), _as_written(low), _as_written(high))


def dequantize_positions(means: Means) -> NDArray[np.float64]:
    """Return the positions, (N, 3), of the grid's steps, counted from 0."""
    logs = means.mins + means.steps * ((means.maxs - means.mins) / LEVELS)
    return np.asarray(np.sign(logs) * np.expm1(np.abs(logs)))


def shortest(values: NDArray[np.floating]) -> list[float]:
    """Return numbers with as few digits as give the same float32, where they are that, and else the same float64."""
    return [float(str(np.float32(value) if np.float32(value) == value else value)) for value in values]


def _as_written(bounds: Tensor) -> NDArray[np.float64]:
    return np.array(shortest(bounds.cpu().numpy()))
