"""Where the pictures are taken that splats are fitted to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.render.camera import FIELD_OF_VIEW_RAD, Camera, look_at

CENTRAL_SHARE = 0.9
"""Part of the splats, on each axis, that the box holds which cameras stand around: trained scenes have floaters."""
DISTANCES = (0.35, 2.0)
"""Of the cameras from what they look at, in radii of the box of the central splats: from close by, and from outside."""
ASIDE = 0.4
"""How far from the middle of the box is what they look at, at most, in its radii."""


GIVEN_SHARE = 0.5
"""Part of the cameras that those which a scene comes with may be."""


def choose_cameras(positions: Tensor, given: Sequence[Camera], count: int, side: int, seed: int) -> list[Camera]:
    """Take some of the cameras that a scene comes with, evenly through them, and then random ones.

    Args:
        positions: as `random_cameras` has them.
        given: in any number, of any pictures; these are fitted into squares.
        count: of all cameras.
        side: of their pictures, which are squares, pixels.
        seed: of the random draws.
    """
    most = min(len(given), int(GIVEN_SHARE * count))
    some = [given[number * len(given) // most].resized(side, side) for number in range(most)]
    return some + random_cameras(positions, count - most, side, seed)


def random_cameras(positions: Tensor, count: int, side: int, seed: int) -> list[Camera]:
    """Place cameras all around and within a scene, each looking at a place near its middle.

    Args:
        positions: (N, 3) float32, finite, N >= 1.
        count: of the cameras.
        side: of their pictures, which are squares, pixels.
        seed: of the random draws.
    """
    ordered = positions.sort(dim=0).values
    low, high = (
        ordered[round(share * (len(ordered) - 1))].double().cpu().numpy()
        for share in ((1 - CENTRAL_SHARE) / 2, (1 + CENTRAL_SHARE) / 2)
    )
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 or 1.0
    rng = np.random.default_rng(seed)
    cameras = []
    for _ in range(count):
        target = centre + ASIDE * radius * _direction(rng) * rng.random() ** (1 / 3)
        eye = target + rng.uniform(*DISTANCES) * radius * _direction(rng)
        focal = side / 2 / math.tan(FIELD_OF_VIEW_RAD / 2)
        cameras.append(Camera(look_at(eye, target), (focal, focal), (side / 2, side / 2), side, side))
    return cameras


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a unit vector, all equally likely."""
    vector = rng.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))
