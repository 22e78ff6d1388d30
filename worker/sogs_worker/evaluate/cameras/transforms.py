"""A transforms.json, as nerfstudio, instant-ngp and the NeRF data sets of Blender have it.

Sources: https://docs.nerf.studio/quickstart/data_conventions.html; instant-ngp's scripts/colmap2nerf.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.fields import numbered, parse_array, parse_side, place_camera, require_rotation
from sogs_worker.evaluate.cameras.frame import Frame, parse_applied
from sogs_worker.evaluate.views import View

DEFAULT_SIDE = 800
"""Width and height, pixels, where the file has none: those of the pictures of NeRF's Blender scenes, whose files leave
it to the pictures."""

OPENGL_AXES = np.diag([1.0, -1.0, -1.0])
"""From axes x right, y up, z backwards to x right, y down, z forward, and back."""

NO_PINHOLES = frozenset(
    {"EQUIRECTANGULAR", "OMNIDIRECTIONALSTEREO_L", "OMNIDIRECTIONALSTEREO_R", "VR180_L", "VR180_R", "ORTHOPHOTO"}
)
"""Models of nerfstudio's cameras that no pinhole stands for. For a fisheye one does: it shows the middle of that
picture."""


def is_transforms(document: Any) -> bool:
    """Say whether a JSON document has this form."""
    return isinstance(document, dict) and "frames" in document


def parse_transforms(document: dict[str, Any], count: int | None, frame: Frame | None) -> list[View]:
    """Read the first `count` cameras, or all, in the file's order.

    Each of `frames` has a `transform_matrix` (4 x 4, from the camera to the world, camera axes x right, y up,
    z backwards) and a `file_path`, which becomes its name. It or the file has `w` and `h` (pixels), `fl_x` or else
    `camera_angle_x` (radians), `fl_y` or else `camera_angle_y` or else what holds for x, and `cx` and `cy` or else the
    middle of the picture. A file with angles and no sizes has pictures of 800 x 800 pixels. A scale of the matrix is
    left out: Blender's exporters write that of the camera object, which changes no picture.

    Args:
        document: the file, as `is_transforms` has it.
        count: how many; None is all.
        frame: of the scene, for points of the original data; None: it is the file's own.

    Raises:
        BadInputError: names the camera and what is wrong with it.
    """
    frames = document["frames"]
    if not isinstance(frames, list) or not frames:
        raise BadInputError("frames must be a list of at least one camera")
    moved = frame.without(parse_applied(document)) if frame else None
    views = []
    for number, each in enumerate(frames[:count]):
        with numbered("camera", number):
            if not isinstance(each, dict):
                raise BadInputError("must be a JSON object")
            view = _parse(document | each, str(each.get("file_path", f"camera{number}")))
            views.append(moved.move(view) if moved else view)
    return views


def _parse(fields: Mapping[str, Any], name: str) -> View:
    model = fields.get("camera_model")
    if isinstance(model, str) and model in NO_PINHOLES:
        raise BadInputError(f"camera_model {model} is no pinhole")
    matrix = parse_array(fields, "transform_matrix", (4, 4))
    axes = _without_scale(matrix[:3, :3])
    require_rotation(axes, "transform_matrix")
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise BadInputError("transform_matrix must be a rotation and a shift, its last row 0, 0, 0, 1")
    width, height = _parse_size(fields)
    fx = _parse_focal(fields, "x", width)
    fy = _parse_focal(fields, "y", height) if "fl_y" in fields or "camera_angle_y" in fields else fx
    cx, cy = (
        float(parse_array(fields, field, ())) if field in fields else side / 2
        for field, side in (("cx", width), ("cy", height))
    )
    camera = place_camera(OPENGL_AXES @ axes.T, matrix[:3, 3], focal=(fx, fy), centre=(cx, cy), size=(width, height))
    return View(name, camera)


def _without_scale(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide by the scale of a matrix whose axes are equally long."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        scaled = matrix / np.cbrt(abs(np.linalg.det(matrix)))
    return scaled if np.isfinite(scaled).all() else matrix


def _parse_size(fields: Mapping[str, Any]) -> tuple[int, int]:
    if "w" in fields or "h" in fields or "fl_x" in fields:  # a focal length in pixels says nothing without them
        return parse_side(fields, "w"), parse_side(fields, "h")
    return DEFAULT_SIDE, DEFAULT_SIDE


def _parse_focal(fields: Mapping[str, Any], axis: str, side: int) -> float:
    """Read a focal length, pixels."""
    length, angle = f"fl_{axis}", f"camera_angle_{axis}"
    if length in fields or angle not in fields:
        focal = float(parse_array(fields, length, ()))
        if focal <= 0:
            raise BadInputError(f"{length} must be above 0")
        return focal
    angle_rad = float(parse_array(fields, angle, ()))
    focal = side / 2 / math.tan(angle_rad / 2) if 0 < angle_rad < math.pi else math.nan
    if not 0 < focal < math.inf:
        raise BadInputError(f"{angle} must be above 0 and below pi, got {angle_rad}")
    return focal
