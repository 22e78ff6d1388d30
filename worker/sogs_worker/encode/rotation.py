"""Quaternions in four bytes: the smallest three components, and which one was left out."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.lattice import snap
from sogs_worker.encode.quaternions import complete
from sogs_worker.splats import Floats

Bytes = NDArray[np.uint8]

MODE = 252
"""Alpha is this plus the index (w, x, y, z) of the component left out."""

ZERO = 127
"""The byte that multiples of a coarser step are counted from: 127.5 is 0."""


def pack_rotations(rotations: Tensor, levels: Tensor) -> Tensor:
    """Pack quaternions whose greatest component is w, which is left out.

    The other three lie within +-sqrt(1/2) and take one byte each, rounded to a multiple of 2^level.

    Args:
        rotations: (N, 4) float32, w, x, y, z, of norm 1, w positive and the greatest.
        levels: (N,), 0 to 5.

    Returns:
        (N, 4) uint8: x, y, z and 252.
    """
    places = 255 * (rotations[:, 1:].double() * math.sqrt(0.5) + 0.5)
    packed = snap(places - ZERO, levels[:, None], 255 - ZERO, -ZERO) + ZERO
    return torch.nn.functional.pad(packed, (0, 1), value=MODE).to(torch.uint8)


def unpack_rotations(packed: Bytes) -> Floats:
    """Unpack quaternions.

    Args:
        packed: (N, 4) uint8, the smallest three and 252 to 255.

    Returns:
        (N, 4) float32, w, x, y, z, of norm 1 within rounding.
    """
    rest = (packed[:, :3] / 255 - 0.5) * np.sqrt(2)
    return complete(rest, packed[:, 3].astype(np.intp) - MODE).astype(np.float32)
