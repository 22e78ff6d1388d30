"""Quaternions in four bytes: the smallest three components, and which one was left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Floats

Bytes = NDArray[np.uint8]

MODE = 252
"""Alpha is this plus the index (w, x, y, z) of the component left out."""

_REST = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


def pack_rotations(rotations: Floats) -> Bytes:
    """Pack quaternions: the component of largest magnitude is left out, its sign made positive.

    The other three lie within +-sqrt(1/2) and take one rounded byte each, in w, x, y, z order.

    Args:
        rotations: (N, 4) float32, w, x, y, z, of any norm but 0.

    Returns:
        (N, 4) uint8: three components and 252 + the index of the one left out (ties: the first).
    """
    wide = rotations.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    largest = np.abs(unit).argmax(axis=1)
    rows = np.arange(len(unit))
    signs = np.where(unit[rows, largest] < 0, -1.0, 1.0)
    rest = unit[rows[:, None], _REST[largest]] * signs[:, None]
    packed = np.empty((len(unit), 4), np.uint8)
    packed[:, :3] = np.rint(np.clip(255 * (rest * np.sqrt(0.5) + 0.5), 0, 255))
    packed[:, 3] = MODE + largest
    return packed


def unpack_rotations(packed: Bytes) -> Floats:
    """Unpack quaternions.

    Args:
        packed: (N, 4) uint8 as `pack_rotations` makes them; the last column must be 252 to 255.

    Returns:
        (N, 4) float32, w, x, y, z, of norm 1 within rounding.
    """
    rest = (packed[:, :3] / 255 - 0.5) * np.sqrt(2)
    largest = packed[:, 3].astype(np.intp) - MODE
    rows = np.arange(len(packed))
    unit = np.empty((len(packed), 4))
    unit[rows[:, None], _REST[largest]] = rest
    unit[rows, largest] = np.sqrt(np.maximum(0.0, 1.0 - (rest**2).sum(axis=1)))
    return unit.astype(np.float32)
