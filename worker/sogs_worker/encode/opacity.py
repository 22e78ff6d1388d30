"""Opacities in 8 bits of alpha."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.lattice import snap
from sogs_worker.splats import Floats

ALPHA_MARGIN = 1e-6
"""How far decoded alphas 0 and 1 stay from 0 and 1, so that their logits are finite (-13.8 and 13.8)."""


def quantize_opacities(opacities: Tensor, levels: Tensor) -> Tensor:
    """Round alphas to 8 bits, and to a multiple of 2^level, or to 255.

    Args:
        opacities: (N,) float32 logits, +Inf allowed.
        levels: (N,), 0 to 5. An alpha of less than two steps gets a finer level, so that it does not vanish.

    Returns:
        (N,) uint8.
    """
    places = 255 * torch.sigmoid(opacities.double())
    finest = (places / 2).clamp_min(1).log2().floor()
    return snap(places, torch.minimum(levels, finest), 255).to(torch.uint8)


def dequantize_opacities(alphas: NDArray[np.uint8]) -> Floats:
    """Return the logits, (N,) float32 and finite, of 8-bit alphas."""
    return logits(alphas / 255)


def logits(alphas: NDArray[np.floating]) -> Floats:
    """Return the logits, float32 and finite but for NaN, of alphas of any shape, which should be 0 to 1."""
    alpha = np.clip(alphas.astype(np.float64), ALPHA_MARGIN, 1 - ALPHA_MARGIN)
    return np.log(alpha / (1 - alpha)).astype(np.float32)


def alphas_of(opacities: Floats) -> NDArray[np.float64]:
    """Return the alphas, 0 to 1, of logits of any shape."""
    with np.errstate(over="ignore"):
        alphas: NDArray[np.float64] = 1 / (1 + np.exp(-opacities.astype(np.float64)))
    return alphas
