"""Where a camera stands so that a scene fills its picture."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.render.camera import UP, Camera, look_at, pinhole
from sogs_worker.render.project import NEAR, SMALLEST_ALPHA
from sogs_worker.render.scene import Shapes

AZIMUTH_RAD = 0.4
ELEVATION_RAD = 0.3
MARGIN = 0.04
"""Of half a picture, left free on each side."""

MOST = 0.9975
"""Part of the splats, by weight, on the inner side of each of the picture's four edges: 99 % are then within all."""
LEAST = 0.95
"""The same where the last of them lie far out."""
FAR = 4.5
"""Far is so many times as far from the middle as the upper quartile of the direction in which that is farthest: most
of a scene may lie flat on the ground. What counts of a normal distribution is nearer. Trained scenes have floaters and
surroundings, beside which what stands in the middle would be small."""

LOOKED_AT = 1 << 20
"""Splats that decide the frame; of a larger scene every k-th."""


def orbit_camera(
    scene: Shapes,
    *,
    width: int,
    height: int,
    azimuth_rad: float = AZIMUTH_RAD,
    up: NDArray[np.float64] = UP,
) -> Camera:
    """Look at a scene from a little above, at `azimuth_rad` around the axis `up`, from where it fills the picture.

    That is as near as 99 % of what can be seen, weighed by alpha, still lies within the picture to the ellipses' ends;
    see `FAR` for what does not count. The camera is counted from the scene's origin.
    """
    axis = up / np.linalg.norm(up)
    outward = math.sin(ELEVATION_RAD) * axis + math.cos(ELEVATION_RAD) * _around(axis, azimuth_rad)
    camera = pinhole(look_at(outward, np.zeros(3), up), width=width, height=height)
    rotation = camera.world_to_camera[:3, :3]
    matrix = camera.world_to_camera.copy()
    matrix[:3, 3] = -_stand(scene, rotation, camera)
    return pinhole(matrix, width=width, height=height)


def _around(axis: NDArray[np.float64], azimuth_rad: float) -> NDArray[np.float64]:
    """Return a unit vector across an axis, by default the way that trained scenes mostly face."""
    side = np.array([1.0, 0, 0]) if abs(axis[0]) < 0.9 else np.array([0, 0, 1.0])
    side -= (side @ axis) * axis
    side /= np.linalg.norm(side)
    return np.asarray(math.sin(azimuth_rad) * side + math.cos(azimuth_rad) * np.cross(side, axis))


def _stand(scene: Shapes, rotation: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """(3,) the camera's place along its own axes.

    What lies within one side of the picture's pyramid is x - s z <= cx - s cz for a camera at (cx, cz) and a slope s of
    that side, -x - s z <= -cx - s cz for the other side: both are as tight as can be where each sum is.
    """
    view = _View(scene, rotation)
    slopes = [
        (1 - MARGIN) * side / 2 / focal for side, focal in zip((camera.width, camera.height), camera.focal, strict=True)
    ]
    x, y = slopes
    left, right, top, bottom = view.bounds([[-1, 0, -x], [1, 0, -x], [0, -1, -y], [0, 1, -y]])
    depth = min(-(left + right) / 2 / x, -(top + bottom) / 2 / y)
    depth = min(depth, view.middle_depth - 2 * NEAR)  # of a scene that is a point too
    return np.array([(right - left) / 2, (bottom - top) / 2, depth])


class _View:
    """The splats that can be seen, along a camera's axes."""

    def __init__(self, scene: Shapes, rotation: NDArray[np.float64]) -> None:
        step = -(-len(scene.alphas) // LOOKED_AT)
        alphas = scene.alphas[::step]
        turn = torch.as_tensor(rotation, dtype=torch.float32).to(alphas.device)
        self._places = scene.positions[::step] @ turn.T
        self._factors = turn @ scene.factors[::step]
        self._weights = alphas.clamp_min(SMALLEST_ALPHA).double()
        # Where alpha falls to what is not drawn any more, in standard deviations.
        self._reaches = torch.sqrt(2 * torch.log(alphas / SMALLEST_ALPHA).clamp_min(0))

    def bounds(self, normals: list[list[float]]) -> list[float]:
        """Return how far along each normal the splats reach, but for those that do not count."""
        ends = [self._ends(normal).sort() for normal in normals]
        quantiles = [self._quantiles(*each, (0.5, 0.75, LEAST, MOST)) for each in ends]
        spread = max(quartile - middle for middle, quartile, _, _ in quantiles)
        bounds = []
        for (ordered, _), (middle, _, least, most) in zip(ends, quantiles, strict=True):
            before = ordered[(ordered <= middle + FAR * spread).sum() - 1]
            bounds.append(min(most, max(least, float(before))))
        return bounds

    def _ends(self, normal: list[float]) -> Tensor:
        along = self._places.new_tensor(normal)
        # In float64: the square of the largest splats is no float32.
        sizes: Tensor = (along @ self._factors).double().norm(dim=1)
        return self._places @ along + self._reaches * sizes

    @property
    def middle_depth(self) -> float:
        """How far forward half of the splats are."""
        ordered, order = self._places[:, 2].sort()
        return self._quantiles(ordered, order, (0.5,))[0]

    def _quantiles(self, ordered: Tensor, order: Tensor, shares: tuple[float, ...]) -> list[float]:
        weights = self._weights[order].cumsum(0)
        places = torch.searchsorted(weights, weights[-1] * weights.new_tensor(shares))
        quantiles: list[float] = ordered[places.clamp_max(len(ordered) - 1)].tolist()
        return quantiles
