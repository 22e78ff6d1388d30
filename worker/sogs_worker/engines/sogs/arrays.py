"""What the original reads from a PLY file, made of our splats."""

from __future__ import annotations

import math

import numpy as np

from sogs_worker.splats import WORLD, Floats, Splats

OPAQUE_LOGIT = math.log(511)
"""From here on alpha is nearer to 255/255 than to any other of its 8 bits."""


def to_arrays(splats: Splats) -> dict[str, Floats]:
    """Return the original's dictionary; the order of its keys decides the sort.

    Args:
        splats: usable ones. Without SH bands they get one coefficient of 0, since the original asks for some.

    Returns:
        means (N, 3), opacities (N,), scales (N, 3), quats (N, 4), sh0 (N, 1, 3), shN (N, C, 3).
    """
    return {
        "means": splats.counted_from(WORLD).positions,
        "opacities": _finite(splats.opacities),
        "scales": splats.scales,
        "quats": splats.rotations,
        "sh0": splats.sh0[:, None, :],
        "shN": splats.shn if splats.sh_bands else np.zeros((len(splats), 1, 3), np.float32),
    }


def _finite(opacities: Floats) -> Floats:
    """Replace +Inf, which is opaque, by a logit that widens the range of all others as little as possible."""
    infinite = np.isinf(opacities)
    greatest = max(OPAQUE_LOGIT, float(opacities[~infinite].max(initial=-math.inf)))
    return np.where(infinite, np.float32(greatest), opacities)
