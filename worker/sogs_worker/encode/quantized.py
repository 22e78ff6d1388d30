"""A scene after quantisation, as integers and the numbers that give them meaning; and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.opacity import dequantize_opacities
from sogs_worker.encode.origin import centre
from sogs_worker.encode.palette import Palette
from sogs_worker.encode.positions import Means, dequantize_positions
from sogs_worker.encode.rotation import unpack_rotations
from sogs_worker.splats import Floats, Model, Splats


@dataclass(frozen=True)
class Coded:
    """Values of a scene replaced by indices into a codebook.

    Attributes:
        indices: (N, 3) uint8.
        codebook: (256,) float32.
    """

    indices: NDArray[np.uint8]
    codebook: Floats

    def values(self) -> Floats:
        """Look the values up, (N, 3) float32."""
        return self.codebook[self.indices]


@dataclass(frozen=True)
class QuantizedSplats:
    """N splats in the attributes of SOG version 2.

    Attributes:
        means: positions.
        rotations: (N, 4) uint8, smallest three.
        scales: natural logarithm of the axes.
        sh0: constant SH coefficients.
        alphas: (N,) uint8, 255 is opaque.
        palette: the other SH coefficients; None without.
        model: how to draw the scene.
    """

    means: Means
    rotations: NDArray[np.uint8]
    scales: Coded
    sh0: Coded
    alphas: NDArray[np.uint8]
    palette: Palette | None
    model: Model = Model.DEFAULT

    def __len__(self) -> int:
        """Count the splats."""
        return len(self.alphas)


def dequantize(scene: QuantizedSplats) -> Splats:
    """Return the splats that a viewer of the bundle sees, in the bundle's order."""
    palette = scene.palette
    if palette is None:
        shn = np.zeros((len(scene), 0, 3), np.float32)
    else:
        shn = palette.codebook[palette.entries][palette.labels]
    scales = scene.scales.values()
    positions, origin = centre(dequantize_positions(scene.means), scales)
    return Splats(
        positions=positions,
        rotations=unpack_rotations(scene.rotations),
        scales=scales,
        opacities=dequantize_opacities(scene.alphas),
        sh0=scene.sh0.values(),
        shn=shn,
        origin=origin,
        model=scene.model,
    )
