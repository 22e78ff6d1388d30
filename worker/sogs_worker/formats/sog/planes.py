"""Planes: one texel a splat, row by row from the top left."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.errors import BadInputError
from sogs_worker.formats.sog.webp import MAX_SIDE, Plane

OPAQUE = 255

PALETTE_ROW = 64
"""Palette entries a row of the centroids' plane."""


def plane_size(count: int) -> tuple[int, int]:
    """Return the width and height, multiples of 4 and nearly equal, of a plane for `count` splats.

    Raises:
        BadInputError: if WebP cannot hold so many (about 268 million).
    """
    width = 4 * math.ceil(math.sqrt(count) / 4)
    height = 4 * math.ceil(count / width / 4)
    if max(width, height) > MAX_SIDE:
        raise BadInputError(f"{count:,} splats do not fit one bundle of {MAX_SIDE} x {MAX_SIDE}; split the scene")
    return width, height


def build_plane(texels: Tensor) -> Tensor:
    """Lay out (N, 3) or (N, 4) uint8, zero-padded, as (H, W, 4); alpha that is not given is 255 everywhere."""
    width, height = plane_size(len(texels))
    plane = texels.new_zeros(height * width, 4)
    plane[:, 3] = OPAQUE if texels.shape[1] == 3 else 0
    plane[: len(texels), : texels.shape[1]] = texels
    return plane.view(height, width, 4)


def build_palette_plane(entries: Tensor) -> Tensor:
    """Lay out palette entries, (K, C, 3) uint8, as (H, W, 4): 64 entries a row, C texels an entry."""
    count, coefficients, _ = entries.shape
    rows = math.ceil(count / PALETTE_ROW)
    plane = entries.new_zeros(rows * PALETTE_ROW, coefficients, 4)
    plane[..., 3] = OPAQUE
    plane[:count, :, :3] = entries
    return plane.view(rows, PALETTE_ROW * coefficients, 4)


def read_texels(plane: Plane, count: int) -> NDArray[np.uint8]:
    """Return the first `count` texels, (N, 4) uint8.

    Raises:
        BadInputError: if the plane has fewer.
    """
    height, width, _ = plane.shape
    if height * width < count:
        raise BadInputError(
            f"the plane's {width} x {height} texels are fewer than the {count:,} splats of meta.json; write it again"
        )
    return plane.reshape(-1, 4)[:count]


def read_palette_entries(plane: Plane, count: int, coefficients: int) -> NDArray[np.uint8]:
    """Return the palette's entries, (K, C, 3) uint8.

    Raises:
        BadInputError: if the plane's size does not belong to so many entries of so many coefficients.
    """
    height, width, _ = plane.shape
    if width != PALETTE_ROW * coefficients or height * PALETTE_ROW < count:
        expected = f"{PALETTE_ROW * coefficients} x {math.ceil(count / PALETTE_ROW)}"
        raise BadInputError(
            f"the plane of palette entries is {width} x {height} texels, expected {expected}; write it again"
        )
    return plane.reshape(-1, coefficients, 4)[:count, :, :3]
