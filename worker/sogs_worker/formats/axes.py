"""Scenes whose axes point elsewhere than a PLY's."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from sogs_worker.encode.harmonics import basis
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Splats

PLY_AXES = "RDF"
"""Where x, y and z of a PLY point: right, down and to the front."""

OPPOSITE = {"L": "R", "U": "D", "B": "F"}

DIRECTIONS = 64
"""More than enough to tell the harmonics of a band apart."""

Matrix = NDArray[np.float64]


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
        rotations=_turn_rotations(splats.rotations, matrix),
        shn=_turn_harmonics(splats.shn, matrix),
        origin=(x, y, z),
    )


def _along(axis: str, target: str) -> float:
    return float(axis == target) - float(OPPOSITE.get(axis) == target or OPPOSITE.get(target) == axis)


def _turn_rotations(rotations: Floats, matrix: Matrix) -> Floats:
    """Multiply (N, 4) quaternions w x y z from the left; an ellipsoid is its own mirror image, so mirrors count not."""
    w, x, y, z = rotations.astype(np.float64).T
    a, b, c, d = _quaternion(matrix * np.linalg.det(matrix))
    product = [
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    ]
    return np.stack(product, axis=1).astype(np.float32)


def _quaternion(rotation: Matrix) -> tuple[float, float, float, float]:
    """Return w x y z of a rotation: an eigenvector (Bar-Itzhack, "New Method for Extracting the Quaternion", 2000)."""
    skew = rotation - rotation.T
    k = np.zeros((4, 4))
    k[0, 0] = np.trace(rotation)
    k[0, 1:] = k[1:, 0] = skew[2, 1], skew[0, 2], skew[1, 0]
    k[1:, 1:] = rotation + rotation.T - np.trace(rotation) * np.eye(3)
    w, x, y, z = np.linalg.eigh(k)[1][:, -1].tolist()
    return w, x, y, z


def _turn_harmonics(shn: Floats, matrix: Matrix) -> Floats:
    """Return the coefficients, (N, C, 3), with which a turned splat looks the same to a turned viewer."""
    before = np.random.default_rng(0).normal(size=(DIRECTIONS, 3))
    before /= np.linalg.norm(before, axis=1, keepdims=True)
    seen, wanted = (basis(torch.from_numpy(each), shn.shape[1]).numpy() for each in (before @ matrix.T, before))
    turned = np.empty_like(shn)
    for first, end in pairwise(SH_COEFFICIENTS[: SH_COEFFICIENTS.index(shn.shape[1]) + 1]):
        band = slice(first, end)
        mixing = np.round(np.linalg.pinv(seen[:, band]) @ wanted[:, band], 12)
        turned[:, band] = np.einsum("ij,njk->nik", mixing, shn[:, band])
    return turned
