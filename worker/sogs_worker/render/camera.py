"""Pinhole cameras, and one that shows a whole scene."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Origin, Splats

FIELD_OF_VIEW_RAD = math.radians(50)
ELEVATION_RAD = 0.3
CENTRAL_SHARE = 0.9
"""Part of the visible splats, by weight, that the orbit camera frames: trained scenes have floaters far out."""


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


def look_at(eye: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4) world-to-camera matrix of a camera that stands upright in a world whose y axis points down.

    Trained scenes inherit that axis from structure from motion.
    """
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, -1.0, 0.0])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def orbit_camera(splats: Splats, *, width: int, height: int, azimuth_rad: float = 0.4) -> Camera:
    """Frame the scene's visible centre from a little above, at `azimuth_rad` around the vertical axis.

    It is counted from the scene's origin.
    """
    low, high = _visible_box(splats)
    centre = (low + high) / 2
    radius = max(float(np.linalg.norm(high - low)) / 2, 1e-3)
    across = math.cos(ELEVATION_RAD)
    outward = np.array(
        [math.sin(azimuth_rad) * across, -math.sin(ELEVATION_RAD), -math.cos(azimuth_rad) * across],
    )
    focal = min(width, height) / 2 / math.tan(FIELD_OF_VIEW_RAD / 2)
    return Camera(
        world_to_camera=look_at(centre + 1.8 * radius * outward, centre),
        focal=(focal, focal),
        centre=(width / 2, height / 2),
        width=width,
        height=height,
    )


def _visible_box(splats: Splats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opposite corners of the box of the central splats; each weighs as much as it is opaque."""
    weights = 1 / (1 + np.exp(-np.clip(splats.opacities.astype(np.float64), -30, 30)))
    tail = (1 - CENTRAL_SHARE) / 2
    corners = np.empty((2, 3))
    for axis in range(3):
        order = np.argsort(splats.positions[:, axis], kind="stable")
        rank = np.cumsum(weights[order]) / weights.sum()
        for side, share in enumerate((tail, 1 - tail)):
            index = min(int(np.searchsorted(rank, share)), len(order) - 1)
            corners[side, axis] = splats.positions[order[index], axis]
    return corners[0], corners[1]
