"""Scenes moved, turned and scaled evenly, with their ellipsoids and their view-dependent colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sogs_worker.encode.origin import centre
from sogs_worker.errors import BadInputError
from sogs_worker.formats.turning import Matrix, turn_harmonics, turn_rotations
from sogs_worker.splats import Splats

TOLERANCE = 1e-3
"""How far a matrix may be from a rotation and an even scale: it is often a product of several, in float32."""


def place(splats: Splats, matrix: Matrix) -> Splats:
    """Return a scene as a (4, 4) matrix of homogeneous coordinates places it.

    Raises:
        BadInputError: if the matrix does more than to move, turn and scale evenly, after which splats are no ellipsoids
            with the same colours any more.
    """
    scale, rotation = _factorize(matrix[:3, :3])
    scales = splats.scales + np.float32(np.log(scale))
    positions, origin = centre(splats.world_positions() @ matrix[:3, :3].T + matrix[:3, 3], scales)
    return replace(
        splats,
        positions=positions,
        rotations=turn_rotations(splats.rotations, rotation),
        scales=scales,
        shn=turn_harmonics(splats.shn, rotation),
        origin=origin,
    )


def _factorize(linear: Matrix) -> tuple[float, Matrix]:
    """Split a matrix into an even scale and a rotation."""
    scale = np.cbrt(np.linalg.det(linear))
    rotation = linear / scale
    if not (scale > 0 and np.allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=TOLERANCE)):
        raise BadInputError(
            "its splats are mirrored or scaled more on one axis than on another; apply that in the program that made it"
        )
    return float(scale), rotation
