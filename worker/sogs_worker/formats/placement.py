"""Scenes moved, turned and scaled evenly, with their ellipsoids and their view-dependent colours."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.harmonics import basis
from sogs_worker.encode.origin import centre
from sogs_worker.errors import BadInputError
from sogs_worker.formats.blocks import decode_rows
from sogs_worker.splats import SH_COEFFICIENTS, Splats

TOLERANCE = 1e-3
"""How far a matrix may be from a rotation and an even scale: it is often a product of several, in float32."""

DIRECTIONS = 64
"""How many a turn of the harmonics is found from: more than there are coefficients."""

Matrix = NDArray[np.float64]
Wide = NDArray[np.float64]


def place(splats: Splats, matrix: Matrix) -> Splats:
    """Return a scene as a (4, 4) matrix of homogeneous coordinates places it.

    Raises:
        BadInputError: if the matrix does more than to move, turn and scale evenly, after which splats are no ellipsoids
            with the same colours any more.
    """
    scale, rotation = _factorize(matrix[:3, :3])
    quaternion, harmonics = _quaternion(rotation), turn_of_harmonics(rotation)
    count, coefficients, _ = splats.shn.shape
    turn = np.kron(harmonics[:coefficients, :coefficients].T, np.eye(3))
    shn = decode_rows(splats.shn.reshape(count, -1), 3 * coefficients, lambda rows: rows @ turn)
    scales = splats.scales + np.float32(np.log(scale))
    positions, origin = centre(splats.world_positions() @ matrix[:3, :3].T + matrix[:3, 3], scales)
    return replace(
        splats,
        positions=positions,
        rotations=decode_rows(splats.rotations, 4, lambda rows: _multiply(quaternion, rows)),
        scales=scales,
        shn=shn.reshape(count, coefficients, 3),
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


def rotation_matrix(quaternion: Wide) -> Matrix:
    """Return the (3, 3) matrix of a quaternion w, x, y, z of any length but 0, for which it is the identity's."""
    w, x, y, z = quaternion / (np.linalg.norm(quaternion) or 1)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _quaternion(rotation: Matrix) -> Wide:
    """Return w, x, y, z of a rotation, exactly for half a turn about an axis.

    Source: I. Bar-Itzhack, "New method for extracting the quaternion from a rotation matrix" (2000).
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    quaternion: Wide = np.linalg.eigh(symmetric).eigenvectors[:, -1]
    return quaternion


def _multiply(left: Wide, rights: NDArray[np.floating]) -> Wide:
    """Return the products of a quaternion and others, (N, 4)."""
    w, x, y, z = left
    matrix = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    product: Wide = rights @ matrix.T
    return product


def turn_of_harmonics(rotation: Matrix) -> Matrix:
    """Return the matrix that turns the coefficients above the constant one with their splat.

    A colour that was seen along d is seen along R d afterwards. Each band turns by itself, so that a scene of fewer
    bands needs only the upper left of the matrix.

    Args:
        rotation: R, (3, 3), orthogonal.

    Returns:
        (15, 15), orthogonal; coefficients are columns that it is multiplied with.
    """
    directions, inverse = _directions()
    turn: Matrix = (inverse @ basis(directions @ torch.from_numpy(rotation), SH_COEFFICIENTS[-1])).numpy()
    return turn


@cache
def _directions() -> tuple[Tensor, Tensor]:
    """Return directions all over the sphere, (D, 3), and what makes coefficients of the values there, (15, D)."""
    steps = torch.arange(DIRECTIONS, dtype=torch.float64) + 0.5
    height, angle = 1 - 2 * steps / DIRECTIONS, steps * math.pi * (3 - math.sqrt(5))
    width = (1 - height**2).sqrt()
    directions = torch.stack([width * angle.cos(), width * angle.sin(), height], 1)
    return directions, torch.linalg.pinv(basis(directions, SH_COEFFICIENTS[-1]))
