"""What all forms of cameras are checked by: numbers, sizes, rotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.metrics import WINDOW
from sogs_worker.render.camera import Camera

MAX_SIDE = 16384
"""Of a picture, pixels: those of 150 megapixels have 14,204. A mistyped size must not take all memory."""

ROTATION_TOLERANCE = 1e-3
"""By which the products of a rotation's axes may differ from 0 and 1: some tools write few digits."""

FORMS = ("a finite number", "{} finite numbers", "{} rows of {} finite numbers")
"""What an array of so many dimensions is called."""


def parse_array(document: Mapping[str, Any], field: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Read finite numbers in that shape.

    Raises:
        BadInputError: says of the field what is expected.
    """
    try:
        array = np.asarray(document.get(field), np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.full(shape, np.nan)
    if array.shape != shape or not np.isfinite(array).all():
        raise BadInputError(f"{field} must be {FORMS[len(shape)].format(*shape)}")
    return array


def parse_side(document: Mapping[str, Any], field: str) -> int:
    """Read a picture's width or height, pixels; some tools write it as 1920.0.

    Raises:
        BadInputError: says of the field what is expected.
    """
    value = document.get(field)
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or not WINDOW <= whole <= MAX_SIDE:
        raise BadInputError(f"{field} must be an integer from {WINDOW} to {MAX_SIDE}, got {value!r}")
    return whole


def require_rotation(matrix: NDArray[np.float64], field: str) -> None:
    """Refuse a (3, 3) matrix that is no rotation."""
    with np.errstate(over="ignore", invalid="ignore"):
        products, determinant = matrix @ matrix.T, np.linalg.det(matrix)
    if not (np.allclose(products, np.eye(3), atol=ROTATION_TOLERANCE) and determinant > 0):
        raise BadInputError(f"{field} must rotate, without scale or mirror")


def place_camera(
    rotation: NDArray[np.float64],
    position: NDArray[np.float64],
    *,
    focal: tuple[float, float],
    centre: tuple[float, float],
    size: tuple[int, int],
) -> Camera:
    """Make a camera of what it is turned by and where it stands.

    Args:
        rotation: (3, 3), from the world's axes to the camera's: x right, y down, z forward.
        position: (3,) in the world.
        focal: focal lengths (x, y), pixels, above 0.
        centre: principal point (x, y), pixels.
        size: width and height of the picture, pixels.

    Raises:
        BadInputError: it stands so far away that its distance is no number any more.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    with np.errstate(over="ignore", invalid="ignore"):
        matrix[:3, 3] = -rotation @ position
    if not np.isfinite(matrix).all():
        raise BadInputError("stands too far away")
    return Camera(matrix, focal, centre, *size)


@contextmanager
def numbered(what: str, number: int) -> Iterator[None]:
    """Put before a fault which of the file's cameras has it."""
    try:
        yield
    except BadInputError as error:
        raise BadInputError(f"{what} {number}: {error}") from error
