"""Scenes whose axes point elsewhere than a PLY's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sogs_worker.formats.turning import turn_harmonics, turn_rotations
from sogs_worker.splats import Splats

PLY_AXES = "RDF"
"""Where x, y and z of a PLY point: right, down and to the front."""

OPPOSITE = {"L": "R", "U": "D", "B": "F"}


def to_ply_axes(splats: Splats, axes: str) -> Splats:
    """Turn a scene to the axes of a PLY.

    Args:
        splats: the scene; not changed.
        axes: where its x, y and z point: a letter each of left or right, up or down, front or back.
    """
    matrix = np.array([[_along(axis, target) for axis in axes] for target in PLY_AXES])
    if np.array_equal(matrix, np.eye(3)):
        return splats
    x, y, z = (matrix @ splats.origin + 0.0).tolist()
    return replace(
        splats,
        positions=(splats.positions @ matrix.T).astype(np.float32),
        rotations=turn_rotations(splats.rotations, matrix),
        shn=turn_harmonics(splats.shn, matrix),
        origin=(x, y, z),
    )


def _along(axis: str, target: str) -> float:
    return float(axis == target) - float(OPPOSITE.get(axis) == target or OPPOSITE.get(target) == axis)
