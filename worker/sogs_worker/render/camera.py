"""Pinhole cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Origin

FIELD_OF_VIEW_RAD = math.radians(50)
UP = np.array([0.0, -1.0, 0.0])
"""Trained scenes inherit from structure from motion a y axis that points down."""
UPRIGHT = 1e-9
"""Least sine of the angle between where a camera looks and what is up for it."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, x right, y down, z forward (OpenCV's axes).

    Attributes:
        world_to_camera: (4, 4) float64, rigid.
        focal: focal lengths (x, y), pixels.
        centre: principal point (x, y), pixels; pixel centres lie at +0.5.
        width: of the picture, pixels.
        height: of the picture, pixels.
    """

    world_to_camera: NDArray[np.float64]
    focal: tuple[float, float]
    centre: tuple[float, float]
    width: int
    height: int

    @property
    def position(self) -> NDArray[np.float64]:
        """(3,) the camera's place in the world."""
        rotation, translation = self.world_to_camera[:3, :3], self.world_to_camera[:3, 3]
        return np.asarray(-rotation.T @ translation)

    def counted_from(self, origin: Origin) -> Camera:
        """Return the same camera for positions that are counted from `origin`."""
        matrix = self.world_to_camera.copy()
        matrix[:3, 3] += matrix[:3, :3] @ origin
        return replace(self, world_to_camera=matrix)

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera with a picture of another size, which shows all of this one's, and more on two sides."""
        factor = min(width / self.width, height / self.height)
        x, y = (factor * (at - side / 2) for at, side in zip(self.centre, (self.width, self.height), strict=True))
        return Camera(
            self.world_to_camera,
            (factor * self.focal[0], factor * self.focal[1]),
            (width / 2 + x, height / 2 + y),
            width,
            height,
        )


def look_at(eye: NDArray[np.float64], target: NDArray[np.float64], up: NDArray[np.float64] = UP) -> NDArray[np.float64]:
    """(4, 4) world-to-camera matrix of a camera that stands upright in a world with `up`, or looks along it."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up / np.linalg.norm(up))
    if np.linalg.norm(right) < UPRIGHT:
        right = np.cross(forward, np.eye(3)[np.argmin(np.abs(forward))])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def pinhole(world_to_camera: NDArray[np.float64], *, width: int, height: int) -> Camera:
    """Make a camera whose picture's shorter side sees 50 degrees."""
    focal = min(width, height) / 2 / math.tan(FIELD_OF_VIEW_RAD / 2)
    return Camera(world_to_camera, (focal, focal), (width / 2, height / 2), width, height)
