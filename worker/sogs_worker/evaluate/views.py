"""The cameras that two scenes are compared from: around the scene, and within it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sogs_worker.render.camera import FIELD_OF_VIEW_RAD, Camera, look_at
from sogs_worker.render.interior import SAMPLES, find_interior
from sogs_worker.render.scene import build_shapes
from sogs_worker.splats import Splats

ORBIT_VIEWS = 6
ORBIT_SIZE = 640
ORBIT_ELEVATIONS_RAD = (0.35, -0.25)
ORBIT_START_RAD = 0.4
ORBIT_DISTANCE = 1.8
"""From the centre, in radii of the box of the central splats."""
CENTRAL_PERCENTILES = (5, 95)
INTERIOR_VIEWS = 4


@dataclass(frozen=True)
class View:
    """A camera and what it is called in results."""

    name: str
    camera: Camera


def orbit_views(splats: Splats, count: int = ORBIT_VIEWS) -> list[View]:
    """Place `count` cameras around the box of the central 90 % of the splats, in turns above and below it.

    They are counted from the scene's origin. Nothing but positions and, for splats that all stand in one place, their
    sizes decides it.
    """
    low, high = central_box(splats)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    radius = radius or float(np.exp(np.median(splats.scales.max(axis=1))))
    views = []
    for number in range(count):
        azimuth = ORBIT_START_RAD + 2 * math.pi * number / count
        elevation = ORBIT_ELEVATIONS_RAD[number % len(ORBIT_ELEVATIONS_RAD)]
        across = math.cos(elevation)
        outward = np.array([math.cos(azimuth) * across, -math.sin(elevation), math.sin(azimuth) * across])
        eye = centre + ORBIT_DISTANCE * radius * outward
        views.append(View(f"orbit{number}", _square_camera(look_at(eye, centre), FIELD_OF_VIEW_RAD)))
    return views


def standard_views(splats: Splats) -> list[View]:
    """Place the cameras that a scene is judged from: six around it, and four within it if it surrounds a place.

    Those look from there to all sides, each over a right angle. All are counted from the scene's origin.
    """
    views = orbit_views(splats)
    some = slice(None, None, -(-len(splats) // SAMPLES))
    arrays = (splats.positions, splats.rotations, splats.scales, splats.opacities)
    shapes = build_shapes(*(torch.as_tensor(array[some], dtype=torch.float32) for array in arrays))
    interior = find_interior(shapes, *central_box(splats))
    if interior is None:
        return views
    for number in range(INTERIOR_VIEWS):
        azimuth = ORBIT_START_RAD + 2 * math.pi * number / INTERIOR_VIEWS
        ahead = interior.middle + np.array([math.cos(azimuth), 0.0, math.sin(azimuth)])
        views.append(View(f"inside{number}", _square_camera(look_at(interior.middle, ahead), math.pi / 2)))
    return views


def central_box(splats: Splats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners, (3,), of the box of the central 90 % of the splats along each axis: floaters are outside."""
    low, high = np.percentile(splats.positions.astype(np.float64), CENTRAL_PERCENTILES, axis=0)
    return low, high


def _square_camera(world_to_camera: NDArray[np.float64], field_of_view_rad: float) -> Camera:
    focal, middle = ORBIT_SIZE / 2 / math.tan(field_of_view_rad / 2), ORBIT_SIZE / 2
    return Camera(world_to_camera, (focal, focal), (middle, middle), ORBIT_SIZE, ORBIT_SIZE)
