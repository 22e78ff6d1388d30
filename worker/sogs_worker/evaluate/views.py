"""The cameras that two scenes are compared from: around the scene and within it, or those of a file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.interior import find_interior
from sogs_worker.evaluate.metrics import WINDOW
from sogs_worker.files import naming
from sogs_worker.render.camera import FIELD_OF_VIEW_RAD, Camera, look_at
from sogs_worker.splats import Splats

ORBIT_VIEWS = 6
ORBIT_SIZE = 640
ORBIT_ELEVATIONS_RAD = (0.35, -0.25)
ORBIT_START_RAD = 0.4
ORBIT_DISTANCE = 1.8
"""From the centre, in radii of the box of the central splats."""
CENTRAL_PERCENTILES = (5, 95)
INTERIOR_VIEWS = 4
MAX_SIDE = 8192
"""Of a picture, pixels: a mistyped size must not take all memory."""


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
    low, high = _central_box(splats)
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
    eye = find_interior(splats, *_central_box(splats))
    if eye is None:
        return views
    for number in range(INTERIOR_VIEWS):
        azimuth = ORBIT_START_RAD + 2 * math.pi * number / INTERIOR_VIEWS
        ahead = eye + np.array([math.cos(azimuth), 0.0, math.sin(azimuth)])
        views.append(View(f"inside{number}", _square_camera(look_at(eye, ahead), math.pi / 2)))
    return views


def _central_box(splats: Splats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.percentile(splats.positions.astype(np.float64), CENTRAL_PERCENTILES, axis=0)
    return low, high


def _square_camera(world_to_camera: NDArray[np.float64], field_of_view_rad: float) -> Camera:
    focal, middle = ORBIT_SIZE / 2 / math.tan(field_of_view_rad / 2), ORBIT_SIZE / 2
    return Camera(world_to_camera, (focal, focal), (middle, middle), ORBIT_SIZE, ORBIT_SIZE)


def read_views(path: Path, count: int | None = None) -> list[View]:
    """Read the first `count` cameras, or all, of a JSON file.

    The file is a list of objects with `world_to_camera` (4 x 4, rigid, camera axes x right, y down, z forward), `K`
    (3 x 3, pixels, without skew), `width`, `height` (pixels) and optionally `name`; other keys are ignored.

    Raises:
        BadInputError: names the file, the camera and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    with naming(path):
        try:
            cameras = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise BadInputError("not a JSON file; name a list of cameras") from error
        if not isinstance(cameras, list) or not cameras:
            raise BadInputError("expected a list of at least one camera; see --help")
        return [_parse_view(camera, number) for number, camera in enumerate(cameras[:count])]


def _parse_view(document: Any, number: int) -> View:
    if not isinstance(document, dict):
        raise BadInputError(f"camera {number} must be a JSON object")
    name = str(document.get("name", f"camera{number}"))
    matrix = _parse_matrix(document, "world_to_camera", 4, number)
    rotation = matrix[:3, :3]
    rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0
    if not rigid or not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise BadInputError(f"camera {number}: world_to_camera must be a rotation and a shift, without scale or mirror")
    intrinsics = _parse_matrix(document, "K", 3, number)
    (fx, skew, cx), (_, fy, cy) = intrinsics[:2]
    if min(fx, fy) <= 0 or skew:
        raise BadInputError(f"camera {number}: K must have focal lengths above 0 and no skew")
    width, height = (_parse_side(document, side, number) for side in ("width", "height"))
    return View(name, Camera(matrix, (float(fx), float(fy)), (float(cx), float(cy)), width, height))


def _parse_matrix(document: dict[str, Any], field: str, side: int, number: int) -> NDArray[np.float64]:
    try:
        matrix = np.asarray(document.get(field), np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != (side, side) or not np.isfinite(matrix).all():
        raise BadInputError(f"camera {number}: {field} must be {side} rows of {side} finite numbers")
    return matrix


def _parse_side(document: dict[str, Any], field: str, number: int) -> int:
    value = document.get(field)
    if isinstance(value, bool) or not isinstance(value, int) or not WINDOW <= value <= MAX_SIDE:
        raise BadInputError(f"camera {number}: {field} must be an integer from {WINDOW} to {MAX_SIDE}, got {value!r}")
    return value
