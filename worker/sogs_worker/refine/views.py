"""Where the pictures are taken that splats are fitted to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sogs_worker.render.camera import FIELD_OF_VIEW_RAD, Camera, look_at
from sogs_worker.render.interior import Interior, find_interior
from sogs_worker.render.scene import Shapes

CENTRAL_SHARE = 0.9
"""Part of the splats, on each axis, that the box holds which cameras stand around: trained scenes have floaters."""
DISTANCES = (0.35, 2.0)
"""Of the cameras from what they look at, in radii of the box of the central splats: from close by, and from outside."""
ASIDE = 0.4
"""How far from the middle of the box is what they look at, at most, in its radii."""

WITHIN_SHARE = 0.5
"""Part of the random cameras that stand in a scene's rooms, if it has any."""
WITHIN_FIELD_OF_VIEW_RAD = math.pi / 2
"""Of those; a room is seen through wide lenses."""

GIVEN_SHARE = 0.5
"""Part of the cameras that those which a scene comes with may be."""


def choose_cameras(shapes: Shapes, given: Sequence[Camera], count: int, side: int, seed: int) -> list[Camera]:
    """Take some of the cameras that a scene comes with, evenly through them, and then random ones.

    Args:
        shapes: the scene's splats; see `random_cameras`.
        given: in any number, of any pictures; these are fitted into squares.
        count: of all cameras.
        side: of their pictures, which are squares, pixels.
        seed: of the random draws.
    """
    most = min(len(given), int(GIVEN_SHARE * count))
    some = [given[number * len(given) // most].resized(side, side) for number in range(most)]
    return some + random_cameras(shapes, count - most, side, seed)


def random_cameras(shapes: Shapes, count: int, side: int, seed: int) -> list[Camera]:
    """Place cameras all around and within a scene, each looking at a place near its middle; others in its rooms.

    Those in rooms come in turn with the rest, so that any part of the list has both. They look in any direction.

    Args:
        shapes: N >= 1 splats whose positions are finite.
        count: of the cameras.
        side: of their pictures, which are squares, pixels.
        seed: of the random draws.
    """
    ordered = shapes.positions.sort(dim=0).values
    low, high = (
        ordered[round(share * (len(ordered) - 1))].double().cpu().numpy()
        for share in ((1 - CENTRAL_SHARE) / 2, (1 + CENTRAL_SHARE) / 2)
    )
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 or 1.0
    interior = find_interior(shapes, low, high)
    rng = np.random.default_rng(seed)
    cameras = []
    for number in range(count):
        if interior and int(WITHIN_SHARE * (number + 1)) > int(WITHIN_SHARE * number):
            eye = _place(rng, interior)
            cameras.append(_square(look_at(eye, eye + _direction(rng)), WITHIN_FIELD_OF_VIEW_RAD, side))
        else:
            target = centre + ASIDE * radius * _direction(rng) * rng.random() ** (1 / 3)
            eye = target + rng.uniform(*DISTANCES) * radius * _direction(rng)
            cameras.append(_square(look_at(eye, target), FIELD_OF_VIEW_RAD, side))
    return cameras


def _place(rng: np.random.Generator, interior: Interior) -> NDArray[np.float64]:
    """Draw a place where somebody could stand."""
    return np.asarray(rng.choice(interior.places) + rng.uniform(-0.5, 0.5, 3) * interior.cell)


def _square(world_to_camera: NDArray[np.float64], field_of_view_rad: float, side: int) -> Camera:
    focal = side / 2 / math.tan(field_of_view_rad / 2)
    return Camera(world_to_camera, (focal, focal), (side / 2, side / 2), side, side)


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a unit vector, all equally likely."""
    vector = rng.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))
