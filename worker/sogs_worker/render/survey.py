"""Cameras around a scene and within it, from which all of its splats are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.render.camera import FIELD_OF_VIEW_RAD, look_at

AROUND = 24
AROUND_MANY = 12
MANY = 1_000_000
"""Cameras around a scene, and around one of more than so many splats, where more of them find nothing new."""
DISTANCE = 1.8
"""Of the cameras around the scene from its centre, in radii of the box of the central splats."""
CENTRAL_SHARE = 0.9
"""Part of the splats, on each axis, that the box holds: trained scenes have floaters far out."""
GOLDEN_ANGLE_RAD = math.pi * (3 - math.sqrt(5))
FACES = ((1, 0, 0), (-1, 0, 0), (0, 0, 1), (0, 0, -1), (0, 1, 1e-3), (0, -1, 1e-3))
"""Where the cameras within the scene look; not quite along the axis that is up, about which they would be undecided."""


@dataclass(frozen=True)
class Survey:
    """V pinhole cameras whose pictures are squares.

    Attributes:
        rotations: (V, 3, 3) float32, the rows of each are its axes right, down and forward.
        eyes: (V, 3) float32, world units.
        focals: V, in sides of the picture.
    """

    rotations: Tensor
    eyes: Tensor
    focals: tuple[float, ...]

    def __len__(self) -> int:
        """Count the cameras."""
        return len(self.focals)


def survey(positions: Tensor) -> Survey:
    """Place 24 cameras, or 12, around the box of the central splats, and six that see all directions from the middle.

    Those around see what a visitor of an object sees, those within what a visitor of a room sees.

    Args:
        positions: (N, 3) float32, finite, N >= 1.
    """
    ordered = positions.sort(dim=0).values
    low, middle, high = (ordered[round(share * (len(ordered) - 1))] for share in _SHARES)
    centre = (low.double() + high.double()).cpu().numpy() / 2
    radius = float((high.double() - low.double()).norm()) / 2 or 1.0
    inside = middle.double().cpu().numpy()
    outward = _directions(AROUND if len(positions) <= MANY else AROUND_MANY)
    towards = [*-outward, *np.array(FACES)]
    eyes = [*(centre + DISTANCE * radius * outward), *[inside] * len(FACES)]
    rotations = np.stack([look_at(np.zeros(3), direction)[:3, :3] for direction in towards])
    device = positions.device
    return Survey(
        torch.from_numpy(rotations).float().to(device),
        torch.from_numpy(np.stack(eyes)).float().to(device),
        (0.5 / math.tan(FIELD_OF_VIEW_RAD / 2),) * len(outward) + (0.5,) * len(FACES),
    )


_SHARES = ((1 - CENTRAL_SHARE) / 2, 0.5, (1 + CENTRAL_SHARE) / 2)


def _directions(count: int) -> NDArray[np.float64]:
    """Return unit vectors, (count, 3), evenly spread: a spiral of the golden angle with equal steps in height."""
    number = np.arange(count)
    height = 1 - (2 * number + 1) / count
    across = np.sqrt(1 - height**2)
    return np.stack([across * np.cos(GOLDEN_ANGLE_RAD * number), height, across * np.sin(GOLDEN_ANGLE_RAD * number)], 1)
