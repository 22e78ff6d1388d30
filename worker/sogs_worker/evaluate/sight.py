"""Whether cameras see a scene: pictures of nothing are the same before and after anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.views import View, central_box
from sogs_worker.render.camera import Camera
from sogs_worker.splats import Splats

SAMPLES = 10_000
"""Splats that are looked for, at most."""

SHARE = 0.005
"""Part of the central splats that a camera has in its picture at least: one in a large room or a town has few."""

SPAN = 0.2
"""Part of the picture's width, or of its height, that those extend over at least: a scene that is small in an empty
picture is seen from cameras of a larger world."""


def check_sight(splats: Splats, views: Sequence[View]) -> None:
    """Refuse cameras of which fewer than half see the scene: they belong to another one, or to another frame.

    Args:
        splats: the scene, usable.
        views: counted from the world's origin, at least one.

    Raises:
        BadInputError: says how many see it.
    """
    positions = central_positions(splats)
    seeing = sum(sees(positions, view.camera.counted_from(splats.origin)) for view in views)
    if 2 * seeing < len(views):
        raise BadInputError(
            f"only {seeing} of {len(views)} cameras see the scene; name cameras in its coordinate frame"
        )


def central_positions(splats: Splats) -> NDArray[np.float64]:
    """Return the places of some of the splats, (M, 3), at least one, without those far out along any axis."""
    positions = splats.positions.astype(np.float64)
    low, high = central_box(splats)
    central = positions[((positions >= low) & (positions <= high)).all(axis=1)]
    chosen = central if len(central) else positions
    return chosen[:: -(-len(chosen) // SAMPLES)]


def sees(positions: NDArray[np.float64], camera: Camera) -> bool:
    """Say whether a camera has enough of a scene in its picture.

    Args:
        positions: (M, 3), of what is to be seen, M >= 1.
        camera: counted from the same origin.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        x, y, z = camera.world_to_camera[:3, :3] @ positions.T + camera.world_to_camera[:3, 3:]
        across = (camera.focal[0] * x / z + camera.centre[0]) / camera.width
        down = (camera.focal[1] * y / z + camera.centre[1]) / camera.height
        is_inside = (z > 0) & (across >= 0) & (across <= 1) & (down >= 0) & (down <= 1)
    if is_inside.sum() < max(SHARE * len(positions), 1):
        return False
    return bool(max(np.ptp(across[is_inside]), np.ptp(down[is_inside])) >= SPAN)
