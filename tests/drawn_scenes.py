"""Scenes that fill a small picture, and a camera that sees them."""

from __future__ import annotations

import numpy as np

from sogs_worker.render import Camera
from sogs_worker.render.camera import look_at
from sogs_worker.splats import SH_COEFFICIENTS, Splats


def random_scene(count: int, bands: int, seed: int = 0) -> Splats:
    """Make splats that overlap in a ball of radius 1."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
        return (rng.normal(size=shape) * scale + shift).astype(np.float32)

    return Splats(
        positions=normal(count, 3),
        rotations=normal(count, 4),
        scales=normal(count, 3, scale=0.7, shift=-1.5),
        opacities=normal(count, scale=2.0),
        sh0=normal(count, 3),
        shn=normal(count, SH_COEFFICIENTS[bands], 3, scale=0.2),
    )


def camera(width: int = 48, height: int = 33, eye: tuple[float, float, float] = (0.5, -1.0, -4.0)) -> Camera:
    """Look at them from nearby, with a principal point aside."""
    return Camera(
        look_at(np.array(eye), np.array([0.1, 0.0, 0.2])), (40.0, 42.0), (width / 2 + 1, height / 2), width, height
    )
