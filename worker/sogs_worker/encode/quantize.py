"""Scalar quantisers: positions to 16 bits of log space, opacities to 8 bits of alpha, values to codebook entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Floats

LEVELS = 65535
"""The highest step of a position's 16 bits."""

ALPHA_MARGIN = 1e-6
"""How far decoded alphas 0 and 1 stay from 0 and 1, so that their logits are finite (-13.8 and 13.8)."""


@dataclass(frozen=True)
class Means:
    """Positions on the grid.

    Attributes:
        steps: (N, 3) uint16.
        mins: (3,) float32, log-transformed position of step 0.
        maxs: (3,) float32, of step 65535; equal to `mins` where an axis has one value only.
    """

    steps: NDArray[np.uint16]
    mins: Floats
    maxs: Floats


def log_transform(values: Floats) -> NDArray[np.float64]:
    """Compute sign(v) * ln(1 + |v|), which is fine near the origin and coarse far away."""
    wide = values.astype(np.float64)
    return np.sign(wide) * np.log1p(np.abs(wide))


def quantize_positions(positions: Floats) -> Means:
    """Round positions, (N, 3) float32 and finite, N >= 1, to 65,536 even steps between the extremes of log space."""
    logs = log_transform(positions)
    mins = logs.min(axis=0).astype(np.float32)
    maxs = logs.max(axis=0).astype(np.float32)
    low = mins.astype(np.float64)
    span = maxs.astype(np.float64) - low
    scaled = (logs - low) * (LEVELS / np.where(span > 0, span, np.inf))
    return Means(np.rint(np.clip(scaled, 0, LEVELS)).astype(np.uint16), mins, maxs)


def dequantize_positions(means: Means) -> Floats:
    """Return the positions, (N, 3) float32, of the grid's steps."""
    low = means.mins.astype(np.float64)
    logs = low + means.steps * ((means.maxs.astype(np.float64) - low) / LEVELS)
    return (np.sign(logs) * np.expm1(np.abs(logs))).astype(np.float32)


def quantize_opacities(opacities: Floats) -> NDArray[np.uint8]:
    """Round opacities, (N,) float32 logits, +Inf allowed, to 8 bits of alpha."""
    wide = opacities.astype(np.float64)
    alpha = np.exp(-np.logaddexp(0.0, -wide))
    rounded: NDArray[np.uint8] = np.rint(255 * alpha).astype(np.uint8)
    return rounded


def dequantize_opacities(alphas: NDArray[np.uint8]) -> Floats:
    """Return the logits, (N,) float32 and finite, of 8-bit alphas."""
    alpha = np.clip(alphas / 255, ALPHA_MARGIN, 1 - ALPHA_MARGIN)
    return np.log(alpha / (1 - alpha)).astype(np.float32)


def nearest_entries(values: NDArray[np.floating], codebook: Floats) -> NDArray[np.uint8]:
    """Return, for values of any shape, the index of the nearest of 256 ascending entries; ties go to the lower one."""
    wide = codebook.astype(np.float64)
    middles = (wide[1:] + wide[:-1]) / 2
    return np.searchsorted(middles, values.astype(np.float64)).astype(np.uint8)
