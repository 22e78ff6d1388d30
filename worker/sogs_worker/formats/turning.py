"""Turns of ellipsoids and of their view-dependent colours."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.harmonics import basis
from sogs_worker.formats.blocks import decode_rows
from sogs_worker.splats import SH_COEFFICIENTS, Floats

DIRECTIONS = 64
"""How many a turn of the harmonics is found from: more than there are coefficients."""

Matrix = NDArray[np.float64]
Wide = NDArray[np.float64]


def turn_rotations(rotations: Floats, matrix: Matrix) -> Floats:
    """Turn ellipsoids, or mirror them, which their shape does not show beyond a turn.

    Args:
        rotations: (N, 4) float32, w, x, y, z.
        matrix: (3, 3), orthogonal.

    Returns:
        (N, 4) float32.
    """
    w, x, y, z = _quaternion(matrix * np.sign(np.linalg.det(matrix)))
    left = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return decode_rows(rotations, 4, lambda rows: rows @ left.T)


def turn_harmonics(shn: Floats, matrix: Matrix) -> Floats:
    """Turn or mirror view-dependent colours with their splats, see `harmonics_matrix`.

    Args:
        shn: (N, C, 3) float32.
        matrix: (3, 3), orthogonal.

    Returns:
        (N, C, 3) float32.
    """
    count, coefficients, _ = shn.shape
    mixing = np.kron(harmonics_matrix(matrix)[:coefficients, :coefficients].T, np.eye(3))
    turned = decode_rows(shn.reshape(count, -1), 3 * coefficients, lambda rows: rows @ mixing)
    return turned.reshape(count, coefficients, 3)


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


def harmonics_matrix(matrix: Matrix) -> Matrix:
    """Return the matrix that turns the coefficients above the constant one with their splat.

    A colour that was seen along d is seen along R d afterwards. Each band turns by itself, so that a scene of fewer
    bands needs only the upper left of the matrix.

    Args:
        matrix: R, (3, 3), orthogonal.

    Returns:
        (15, 15), orthogonal; coefficients are columns that it is multiplied with. What rounding leaves of zeros and
        ones is rounded off, so that changes of axes give exact values.
    """
    directions, inverse = _directions()
    turn: Matrix = (inverse @ basis(directions @ torch.from_numpy(matrix), SH_COEFFICIENTS[-1])).numpy()
    return np.round(turn, 12)


@cache
def _directions() -> tuple[Tensor, Tensor]:
    """Return directions all over the sphere, (D, 3), and what makes coefficients of the values there, (15, D)."""
    steps = torch.arange(DIRECTIONS, dtype=torch.float64) + 0.5
    height, angle = 1 - 2 * steps / DIRECTIONS, steps * math.pi * (3 - math.sqrt(5))
    width = (1 - height**2).sqrt()
    directions = torch.stack([width * angle.cos(), width * angle.sin(), height], 1)
    return directions, torch.linalg.pinv(basis(directions, SH_COEFFICIENTS[-1]))
