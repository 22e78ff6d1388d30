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
