"""Quaternions of which a file has all components but the largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


def complete(rest: NDArray[np.floating], largest: NDArray[np.integer]) -> NDArray[np.float64]:
    """Put back the largest component, which is what makes the norm 1, or 0 where the others' norm is above 1.

    Args:
        rest: (N, 3), the other components in their order.
        largest: (N,), which of the four is missing, 0 to 3.

    Returns:
        (N, 4), in the order of the file.
    """
    rows = np.arange(len(rest))
    unit = np.empty((len(rest), 4))
    unit[rows[:, None], _OTHERS[largest]] = rest
    unit[rows, largest] = np.sqrt(np.maximum(0.0, 1.0 - (rest.astype(np.float64) ** 2).sum(axis=1)))
    return unit


def leave_out_largest(rotations: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Take out the largest component, as `complete` puts it back.

    Args:
        rotations: (N, 4), of any length, in the order of the file.

    Returns:
        The others of the quaternion of norm 1 whose largest component is not negative, (N, 3), in their order, each
        within +-sqrt(1/2); and which one is missing, (N,), 0 to 3.
    """
    unit = normalize(rotations)
    rows = np.arange(len(unit))
    largest = np.abs(unit).argmax(axis=1)
    unit *= np.where(unit[rows, largest] < 0, -1, 1)[:, None]
    return unit[rows[:, None], _OTHERS[largest]], largest


def normalize(rotations: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return quaternions of norm 1, (N, 4); those of norm 0 stay."""
    wide = rotations.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float64] = wide / np.where(norms == 0, 1, norms)
    return unit
