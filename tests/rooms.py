"""Rooms made of splats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Splats
from splat_builders import build_splats, replace


def shell(count: int, size: NDArray[np.float64], *, sides: int = 6, seed: int = 0) -> NDArray[np.float64]:
    """Positions on the faces of a box around 0, evenly by their area; the last faces are missing with fewer sides."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.5, 0.5, (count, 3))
    areas = np.repeat([size[1] * size[2], size[0] * size[2], size[0] * size[1]], 2)[:sides]
    faces = rng.choice(sides, count, p=areas / areas.sum())
    points[np.arange(count), faces // 2] = faces % 2 - 0.5
    return points * size


def scene_of(positions: NDArray[np.float64], spread: float) -> Splats:
    """Opaque round splats of that size at those places."""
    splats = build_splats(len(positions), bands=0)
    return replace(
        splats,
        positions=positions.astype(np.float32),
        scales=np.full_like(splats.scales, np.log(spread)),
        opacities=np.full_like(splats.opacities, 5.0),
    )
