"""The order of splats in the planes: along a Hilbert curve, so that neighbouring texels hold neighbouring splats."""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.encode.positions import log_transform

BITS = 20
"""Bits an axis: three of them, below three bits for a class, fit a signed 64-bit key."""

_SPREAD = (
    (32, 0x001F00000000FFFF),
    (16, 0x001F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)
"""Shift and mask of each step that moves up to 21 bits apart, two zeros between neighbours."""


def hilbert_order(positions: Tensor, classes: Tensor) -> Tensor:
    """Order splats by class, and within a class along a 60-bit Hilbert curve through log-transformed space.

    The grid is isotropic (one cell size on all axes) and lies in the space that positions are stored in, where outliers
    do not push the rest of a scene into a few cells.

    Args:
        positions: (N, 3) float32, finite.
        classes: (N,) int64, 0 to 7.

    Returns:
        (N,) int64, the index of the splat that comes i-th; equal keys keep their order.
    """
    logs = log_transform(positions)
    low = logs.amin(dim=0)
    extent = (logs.amax(dim=0) - low).max()
    cells = ((logs - low) * ((2**BITS - 1) / extent.clamp_min(torch.finfo(torch.float32).tiny))).round().long()
    return (hilbert_keys(cells) | (classes << (3 * BITS))).sort(stable=True).indices


def hilbert_keys(cells: Tensor, bits: int = BITS) -> Tensor:
    """Number the cells of a cube of 2^bits an axis along the Hilbert curve; consecutive numbers are face neighbours.

    Source: J. Skilling, "Programming the Hilbert curve", AIP Conf. Proc. 707 (2004).

    Args:
        cells: (N, 3) int64 below 2^bits.
        bits: of each axis, at most 20.

    Returns:
        (N,) int64 below 2^(3 bits).
    """
    axes = list(cells.unbind(1))
    for bit in range(bits - 1, 0, -1):
        axes = _turn(axes, bit)
    axes[1] = axes[1] ^ axes[0]
    axes[2] = axes[2] ^ axes[1]
    flip = torch.zeros_like(axes[0])
    for bit in range(bits - 1, 0, -1):
        flip ^= torch.where(_has_bit(axes[2], bit), (1 << bit) - 1, 0)
    return _interleave([axis ^ flip for axis in axes])


def _turn(axes: list[Tensor], bit: int) -> list[Tensor]:
    """Undo one level's rotation and reflection of the curve: the lower bits of the axes change."""
    below = (1 << bit) - 1
    turned = list(axes)
    for axis in range(3):
        reflected = _has_bit(turned[axis], bit)
        exchanged = torch.where(reflected, 0, (turned[0] ^ turned[axis]) & below)
        turned[0] = turned[0] ^ torch.where(reflected, below, exchanged)
        turned[axis] = turned[axis] ^ exchanged
    return turned


def _has_bit(values: Tensor, bit: int) -> Tensor:
    return (values & (1 << bit)) != 0


def _interleave(axes: list[Tensor]) -> Tensor:
    """Merge three times 20 bits, the first axis highest."""
    x, y, z = (_spread(axis) for axis in axes)
    return (x << 2) | (y << 1) | z


def _spread(values: Tensor) -> Tensor:
    for shift, mask in _SPREAD:
        values = (values | (values << shift)) & mask
    return values
