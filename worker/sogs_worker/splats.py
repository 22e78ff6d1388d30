"""The one data model: a scene of N splats as arrays, in the space that 3D Gaussian splatting trains them in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError

Floats = NDArray[np.float32]
Origin = tuple[float, float, float]

WORLD: Origin = (0.0, 0.0, 0.0)

SH_COEFFICIENTS = (0, 3, 8, 15)
"""Coefficients a colour channel has above the constant one, by SH bands 0 to 3."""

ARRAYS = ("positions", "rotations", "scales", "opacities", "sh0", "shn")
"""The fields of `Splats` that have a row for each splat."""


class Model(StrEnum):
    """How a scene was drawn while it was trained, and so how a renderer has to draw it.

    The values are those of `model` in SOG's meta.json, as splat-transform reads and writes it.
    """

    DEFAULT = "default"
    """Gaussians, each blurred by a constant (Kerbl et al. 2023)."""
    ANTIALIASED = "antialiased"
    """The same, each as much fainter as the blur makes it larger: the 2D filter of Mip-Splatting (Yu et al. 2024)."""
    SURFELS = "2dgs"
    """Flat Gaussians, whose third axis is the normal (2D Gaussian Splatting, Huang et al. 2024)."""


@dataclass(frozen=True)
class Splats:
    """A scene. Arrays are float32, row i is splat i, and are never written to.

    Attributes:
        positions: (N, 3), world units from the origin, axes as stored in the PLY.
        rotations: (N, 4), quaternions w, x, y, z (PLY rot_0..3), not necessarily of norm 1.
        scales: (N, 3), natural logarithm of the standard deviation on each axis.
        opacities: (N,), logit.
        sh0: (N, 3), constant SH coefficient of R, G, B (PLY f_dc_0..2).
        shn: (N, C, 3) with C = 0, 3, 8 or 15: coefficient c of R, G, B (PLY f_rest_{channel * C + c}).
        origin: where in the world positions are counted from. Far from 0, as in map coordinates, float32 has steps of
            decimetres, so that positions are exact only relative to a place nearby.
        notes: what the person who has the file should know of it, such as what of it could not be kept: sentences
            without a full stop, to be said after the file's name.
        model: how to draw it.
    """

    positions: Floats
    rotations: Floats
    scales: Floats
    opacities: Floats
    sh0: Floats
    shn: Floats
    origin: Origin = WORLD
    notes: tuple[str, ...] = ()
    model: Model = Model.DEFAULT

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        count = len(self.positions)
        expected = {
            "positions": (count, 3),
            "rotations": (count, 4),
            "scales": (count, 3),
            "opacities": (count,),
            "sh0": (count, 3),
        }
        for name, shape in expected.items():
            got = getattr(self, name).shape
            if got != shape:
                raise BadInputError(f"splats need {name} of shape {shape}, got {got}")
        if self.shn.ndim != 3 or self.shn.shape[0] != count or self.shn.shape[2] != 3:
            raise BadInputError(f"splats need shn of shape ({count}, C, 3), got {self.shn.shape}")
        if self.shn.shape[1] not in SH_COEFFICIENTS:
            raise BadInputError(f"splats need 0, 3, 8 or 15 SH coefficients a channel, got {self.shn.shape[1]}")

    def __len__(self) -> int:
        """Count the splats."""
        return len(self.positions)

    @property
    def sh_bands(self) -> int:
        """SH bands above the constant one, 0 to 3."""
        return SH_COEFFICIENTS.index(self.shn.shape[1])

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Splats:
        """Select or reorder splats by an index or mask of rows; a slice of them shares its memory."""
        return replace(self, **{name: getattr(self, name)[index] for name in ARRAYS})

    def with_sh_bands(self, bands: int) -> Splats:
        """Keep at most `bands` SH bands; a scene with fewer stays as it is."""
        coefficients = min(SH_COEFFICIENTS[bands], self.shn.shape[1])
        return replace(self, shn=self.shn[:, :coefficients])

    def world_positions(self) -> NDArray[np.float64]:
        """Return the positions, (N, 3), counted from 0."""
        with np.errstate(invalid="ignore"):  # of a NaN that is a signal
            return self.positions.astype(np.float64) + self.origin

    def counted_from(self, origin: Origin) -> Splats:
        """Count positions from another origin, at the cost of rounding where that is far away."""
        if origin == self.origin:
            return self
        with np.errstate(over="ignore"):
            return replace(self, positions=(self.world_positions() - origin).astype(np.float32), origin=origin)
