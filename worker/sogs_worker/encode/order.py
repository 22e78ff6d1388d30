"""The order of splats in the planes: along a Hilbert curve, so that neighbouring texels hold neighbouring splats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.quantize import log_transform
from sogs_worker.splats import Floats

Keys = NDArray[np.uint64]

BITS = 21
"""Bits an axis: three of them fill 63 bits of a key."""

_SPREAD = (
    (32, 0x001F00000000FFFF),
    (16, 0x001F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)
"""Shift and mask of each step that moves 21 bits apart, two zeros between neighbours."""


def hilbert_order(positions: Floats) -> NDArray[np.int64]:
    """Order splats along a 63-bit Hilbert curve through log-transformed space.

    The grid is isotropic (one cell size on all axes) and lies in the space that positions are stored in, where outliers
    do not push the rest of a scene into a few cells.

    Args:
        positions: (N, 3) float32, finite.

    Returns:
        (N,) int64, the index of the splat that comes i-th; equal keys keep their order.
    """
    logs = log_transform(positions)
    low = logs.min(axis=0)
    extent = float((logs.max(axis=0) - low).max())
    cells = (logs - low) * ((2**BITS - 1) / extent if extent > 0 else 0.0)
    return np.argsort(hilbert_keys(np.rint(cells).astype(np.uint64)), kind="stable")


def hilbert_keys(cells: NDArray[np.uint64]) -> Keys:
    """Number the cells of a 2^21 cube along the Hilbert curve; consecutive numbers are face neighbours.

    Source: J. Skilling, "Programming the Hilbert curve", AIP Conf. Proc. 707 (2004).

    Args:
        cells: (N, 3) uint64 below 2^21.

    Returns:
        (N,) uint64 below 2^63.
    """
    axes = [cells[:, axis].astype(np.uint64) for axis in range(3)]
    for bit in range(BITS - 1, 0, -1):
        _turn(axes, bit)
    axes[1] ^= axes[0]
    axes[2] ^= axes[1]
    flip = np.zeros(len(cells), np.uint64)
    for bit in range(BITS - 1, 0, -1):
        flip ^= np.where(_has_bit(axes[2], bit), _below(bit), np.uint64(0))
    return _interleave([axis ^ flip for axis in axes])


def _turn(axes: list[Keys], bit: int) -> None:
    """Undo one level's rotation and reflection of the curve, in place: the lower bits of the axes change."""
    for axis in range(3):
        reflected = _has_bit(axes[axis], bit)
        exchanged = np.where(reflected, np.uint64(0), (axes[0] ^ axes[axis]) & _below(bit))
        axes[0] ^= np.where(reflected, _below(bit), exchanged)
        axes[axis] ^= exchanged


def _has_bit(values: Keys, bit: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (values & np.uint64(1 << bit)) != 0
    return found


def _below(bit: int) -> np.uint64:
    return np.uint64((1 << bit) - 1)


def _interleave(axes: list[Keys]) -> Keys:
    """Merge three times 21 bits, the first axis highest."""
    x, y, z = (_spread(axis) for axis in axes)
    return (x << np.uint64(2)) | (y << np.uint64(1)) | z


def _spread(values: Keys) -> Keys:
    for shift, mask in _SPREAD:
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
