"""Attributes read from the planes that both versions of SOG have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.rotation import MODE
from sogs_worker.errors import BadInputError
from sogs_worker.files import naming
from sogs_worker.formats.sog.bundle import Files
from sogs_worker.formats.sog.planes import read_texels
from sogs_worker.formats.sog.webp import Plane, decode_plane

SPARE_FACTOR = 4
SPARE_TEXELS = 1 << 20
"""How much larger than needed a plane may be: by this factor, or any of this many texels."""


def read_plane(files: Files, name: str, needed: int) -> Plane:
    """Decode a plane, (H, W, 4) uint8, that should have about `needed` texels.

    Raises:
        BadInputError: names the plane; if it is missing, damaged or far too large.
    """
    data = files.read(name)
    with naming(name):
        return decode_plane(data, max(SPARE_TEXELS, SPARE_FACTOR * needed))


def read_attribute(files: Files, name: str, count: int) -> NDArray[np.uint8]:
    """Return the texels of `count` splats, (N, 4) uint8."""
    plane = read_plane(files, name, count)
    with naming(name):
        return read_texels(plane, count)


def read_steps(files: Files, names: tuple[str, ...], count: int) -> NDArray[np.uint16]:
    """Return the positions' steps, (N, 3) uint16, from the planes of their low and high bytes."""
    low, high = (read_attribute(files, name, count)[:, :3] for name in names)
    return low + (high.astype(np.uint16) << 8)


def read_rotations(files: Files, name: str, count: int) -> NDArray[np.uint8]:
    """Return the packed rotations, (N, 4) uint8."""
    rotations = read_attribute(files, name, count)
    if (modes := rotations[:, 3]).min() < MODE:
        raise BadInputError(f"{name}: alpha must be 252 to 255, got {modes.min()}; write the bundle again")
    return rotations


def read_labels(files: Files, name: str, count: int) -> NDArray[np.uint16]:
    """Return each splat's palette entry, (N,) uint16."""
    pairs = read_attribute(files, name, count).astype(np.uint16)
    return pairs[:, 0] + (pairs[:, 1] << 8)
