"""The cameras that a file names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError, UsageError
from sogs_worker.evaluate.metrics import WINDOW
from sogs_worker.evaluate.views import View
from sogs_worker.files import naming
from sogs_worker.render.camera import Camera

MAX_SIDE = 8192
"""Of a picture, pixels: a mistyped size must not take all memory."""

SAMPLED = 8
SAMPLED_SIDE = 1024
"""Cameras that a scene is judged by, at most, and the longer side of their pictures, pixels."""

SHOWN = 5
"""Cameras that are told by name."""

FORMS = ("a finite number", "{} finite numbers", "{} rows of {} finite numbers")
"""What an array of so many dimensions is called."""


def read_views(path: Path, count: int | None = None) -> list[View]:
    """Read the first `count` cameras, or all, of a JSON file.

    The file is a list of objects of either kind, whose other keys are ignored:

    - `world_to_camera` (4 x 4, rigid, camera axes x right, y down, z forward), `K` (3 x 3, pixels, without skew),
      `width`, `height` (pixels) and optionally `name`;
    - as Inria's trainer and those that follow it write `cameras.json`: `position` (3), `rotation` (3 x 3, whose columns
      are the camera's axes in the world), `fx`, `fy`, `width`, `height` (pixels) and optionally `img_name`. The
      principal point is the middle of the picture.

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


def sample_views(path: Path) -> tuple[list[View], list[View]]:
    """Read a file's cameras: a few evenly through it, by which a scene is judged, and all the others.

    The pictures of the few have a moderate size, which is enough for that.

    Raises:
        WorkerError: as `read_views`.
    """
    views = read_views(path)
    few = min(len(views), SAMPLED)
    chosen = {number * len(views) // few for number in range(few)}
    sampled = [replace(view, camera=_moderate(view.camera)) for number, view in enumerate(views) if number in chosen]
    return sampled, [view for number, view in enumerate(views) if number not in chosen]


def _moderate(camera: Camera) -> Camera:
    factor = min(1.0, SAMPLED_SIDE / max(camera.width, camera.height))
    return camera.resized(max(round(factor * camera.width), WINDOW), max(round(factor * camera.height), WINDOW))


def find_view(views: Sequence[View], text: str) -> View:
    """Return the view of that name, or else of that number, counted from 0.

    Raises:
        UsageError: there is none.
    """
    for view in views:
        if view.name == text:
            return view
    if text.isdecimal() and int(text) < len(views):
        return views[int(text)]
    shown = ", ".join(view.name for view in views[:SHOWN]) + ", ..." * (len(views) > SHOWN)
    raise UsageError(f"there is no camera {text!r}; name one of {shown} or a number from 0 to {len(views) - 1}")


def _parse_view(document: Any, number: int) -> View:
    if not isinstance(document, dict):
        raise BadInputError(f"camera {number} must be a JSON object")
    if "world_to_camera" not in document and "rotation" in document:
        return _parse_trainers(document, number)
    matrix = _parse_array(document, "world_to_camera", (4, 4), number)
    _require_rotation(matrix[:3, :3], "world_to_camera", number)
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise BadInputError(f"camera {number}: world_to_camera must be a rotation and a shift, its last row 0, 0, 0, 1")
    (fx, skew, cx), (_, fy, cy) = _parse_array(document, "K", (3, 3), number)[:2]
    if min(fx, fy) <= 0 or skew:
        raise BadInputError(f"camera {number}: K must have focal lengths above 0 and no skew")
    width, height = (_parse_side(document, side, number) for side in ("width", "height"))
    name = str(document.get("name", f"camera{number}"))
    return View(name, Camera(matrix, (float(fx), float(fy)), (float(cx), float(cy)), width, height))


def _parse_trainers(document: dict[str, Any], number: int) -> View:
    """Read a camera as trainers write it: its axes and place in the world, the inverse of what a picture needs."""
    axes = _parse_array(document, "rotation", (3, 3), number)
    _require_rotation(axes, "rotation", number)
    matrix = np.eye(4)
    matrix[:3, :3] = axes.T
    matrix[:3, 3] = -axes.T @ _parse_array(document, "position", (3,), number)
    fx, fy = (float(_parse_array(document, field, (), number)) for field in ("fx", "fy"))
    if min(fx, fy) <= 0:
        raise BadInputError(f"camera {number}: fx and fy must be above 0")
    width, height = (_parse_side(document, side, number) for side in ("width", "height"))
    name = str(document.get("img_name", f"camera{number}"))
    return View(name, Camera(matrix, (fx, fy), (width / 2, height / 2), width, height))


def _require_rotation(matrix: NDArray[np.float64], field: str, number: int) -> None:
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3) or np.linalg.det(matrix) < 0:
        raise BadInputError(f"camera {number}: {field} must rotate, without scale or mirror")


def _parse_array(document: dict[str, Any], field: str, shape: tuple[int, ...], number: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(document.get(field), np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.full(shape, np.nan)
    if array.shape != shape or not np.isfinite(array).all():
        raise BadInputError(f"camera {number}: {field} must be {FORMS[len(shape)].format(*shape)}")
    return array


def _parse_side(document: dict[str, Any], field: str, number: int) -> int:
    value = document.get(field)
    if isinstance(value, bool) or not isinstance(value, int) or not WINDOW <= value <= MAX_SIDE:
        raise BadInputError(f"camera {number}: {field} must be an integer from {WINDOW} to {MAX_SIDE}, got {value!r}")
    return value
