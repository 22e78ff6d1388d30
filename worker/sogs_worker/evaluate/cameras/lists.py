"""Lists of cameras in JSON: our own form, and what trainers of splats leave as cameras.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.fields import numbered, parse_array, parse_side, place_camera, require_rotation
from sogs_worker.evaluate.views import View
from sogs_worker.render.camera import Camera


def parse_list(document: Any, count: int | None) -> list[View]:
    """Read the first `count` cameras, or all, of a list of objects of either kind, whose other keys are ignored.

    - `world_to_camera` (4 x 4, rigid, camera axes x right, y down, z forward), `K` (3 x 3, pixels, without skew),
      `width`, `height` (pixels) and optionally `name`;
    - as Inria's trainer and those that follow it write `cameras.json`: `position` (3), `rotation` (3 x 3, whose columns
      are the camera's axes in the world), `fx`, `fy`, `width`, `height` (pixels) and optionally `img_name`. The
      principal point is the middle of the picture.

    Raises:
        BadInputError: names the camera and what is wrong with it.
    """
    if not isinstance(document, list) or not document:
        raise BadInputError("expected a list of at least one camera; see --help")
    views = []
    for number, camera in enumerate(document[:count]):
        with numbered("camera", number):
            if not isinstance(camera, dict):
                raise BadInputError("must be a JSON object")
            is_trainers = "world_to_camera" not in camera and "rotation" in camera
            views.append((_parse_trainers if is_trainers else _parse_own)(camera, f"camera{number}"))
    return views


def _parse_own(document: dict[str, Any], name: str) -> View:
    matrix = parse_array(document, "world_to_camera", (4, 4))
    require_rotation(matrix[:3, :3], "world_to_camera")
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise BadInputError("world_to_camera must be a rotation and a shift, its last row 0, 0, 0, 1")
    (fx, skew, cx), (_, fy, cy) = parse_array(document, "K", (3, 3))[:2]
    if min(fx, fy) <= 0 or skew:
        raise BadInputError("K must have focal lengths above 0 and no skew")
    width, height = (parse_side(document, side) for side in ("width", "height"))
    camera = Camera(matrix, (float(fx), float(fy)), (float(cx), float(cy)), width, height)
    return View(str(document.get("name", name)), camera)


def _parse_trainers(document: dict[str, Any], name: str) -> View:
    """Read a camera as trainers write it: its axes and place in the world, the inverse of what a picture needs."""
    axes = parse_array(document, "rotation", (3, 3))
    require_rotation(axes, "rotation")
    position = parse_array(document, "position", (3,))
    fx, fy = (float(parse_array(document, field, ())) for field in ("fx", "fy"))
    if min(fx, fy) <= 0:
        raise BadInputError("fx and fy must be above 0")
    width, height = (parse_side(document, side) for side in ("width", "height"))
    camera = place_camera(axes.T, position, focal=(fx, fy), centre=(width / 2, height / 2), size=(width, height))
    return View(str(document.get("img_name", name)), camera)
