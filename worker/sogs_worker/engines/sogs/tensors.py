"""The tensors that the original reads from a PLY file, made of our splats."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sogs_worker.splats import Floats, Splats

OPAQUE_LOGIT = math.log(511)
"""From here on alpha is nearer to 255/255 than to any other of its 8 bits."""


def make_tensors(splats: Splats, device: str) -> dict[str, Tensor]:
    """Return the original's dictionary; the order of its keys decides the sort.

    Args:
        splats: usable ones. Without SH bands they get one coefficient of 0, since the original asks for some.
        device: where to.

    Returns:
        means (N, 3), opacities (N,), scales (N, 3), quats (N, 4), sh0 (N, 1, 3), shN (N, C, 3), float32.
    """
    count = len(splats)
    arrays = {
        "means": splats.positions,
        "opacities": _finite(splats.opacities),
        "scales": splats.scales,
        "quats": splats.rotations,
        "sh0": splats.sh0[:, None, :],
        "shN": splats.shn if splats.sh_bands else np.zeros((count, 1, 3), np.float32),
    }
    return {name: torch.tensor(array, device=device) for name, array in arrays.items()}


def _finite(opacities: Floats) -> Floats:
    """Replace +Inf, which is opaque, by a logit that widens the range of all others as little as possible."""
    infinite = np.isinf(opacities)
    if not infinite.any():
        return opacities
    finite = opacities[~infinite]
    greatest = max(OPAQUE_LOGIT, float(finite.max(initial=-math.inf)))
    return np.where(infinite, np.float32(greatest), opacities)
