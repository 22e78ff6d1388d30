"""Splats for tests, from a seed, and PLY files of every layout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import SH_COEFFICIENTS, Splats

NAMES = (
    *("x", "y", "z"),
    *("f_dc_0", "f_dc_1", "f_dc_2"),
    "opacity",
    *("scale_0", "scale_1", "scale_2"),
    *("rot_0", "rot_1", "rot_2", "rot_3"),
)


def build_splats(count: int, *, bands: int = 3, seed: int = 0) -> Splats:
    """Make random splats, all of them visible, with the spread of a trained scene."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, spread: float = 1.0) -> NDArray[np.float32]:
        return (spread * rng.standard_normal((count, *shape))).astype(np.float32)

    return Splats(
        positions=normal(3, spread=3.0),
        rotations=normal(4),
        scales=normal(3) - np.float32(4),
        opacities=normal(spread=2.0).clip(-5),
        sh0=normal(3),
        shn=normal(SH_COEFFICIENTS[bands], 3, spread=0.2),
    )


def replace(splats: Splats, **arrays: NDArray[np.float32]) -> Splats:
    """Return splats with other arrays."""
    own = {name: getattr(splats, name) for name in Splats.__dataclass_fields__}
    return Splats(**(own | arrays))


def build_rows(splats: Splats) -> dict[str, NDArray[np.float32]]:
    """Return the PLY properties of splats, by name, in canonical order but without normals."""
    channels_first = splats.shn.transpose(0, 2, 1).reshape(len(splats), -1)
    columns = [splats.positions, splats.sh0, splats.opacities[:, None], splats.scales, splats.rotations]
    rows = dict(zip(NAMES, np.concatenate(columns, axis=1).T, strict=True))
    return rows | {f"f_rest_{i}": column for i, column in enumerate(channels_first.T)}


def covariances(splats: Splats) -> NDArray[np.float64]:
    """Return the ellipsoids, (N, 3, 3): what a picture shows of rotations and scales, whatever they are called."""
    unit = splats.rotations.astype(np.float64)
    w, x, y, z = (unit / np.sqrt((unit**2).sum(axis=1, keepdims=True))).T
    matrix = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    axes = matrix * np.exp(splats.scales.astype(np.float64))[:, None]
    return axes @ axes.transpose(0, 2, 1)
