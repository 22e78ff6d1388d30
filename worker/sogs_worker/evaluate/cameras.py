"""The cameras that a file names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.metrics import WINDOW
from sogs_worker.evaluate.views import View
from sogs_worker.files import naming
from sogs_worker.render.camera import Camera

MAX_SIDE = 8192
"""Of a picture, pixels: a mistyped size must not take all memory."""


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
