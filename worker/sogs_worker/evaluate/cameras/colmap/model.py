"""COLMAP's camera models, and an image's camera of its two parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.fields import numbered, parse_side
from sogs_worker.evaluate.views import View
from sogs_worker.formats.turning import rotation_matrix
from sogs_worker.render.camera import Camera

MAX_COUNT = 100_000
"""Of a model's images, and of its cameras: a large one has 10,000. A file of a gigabyte could have more than memory."""

QUATERNION_LENGTHS = 0.5, 2.0
"""COLMAP's have length 1; what is far from that is no rotation."""


@dataclass(frozen=True)
class Model:
    """A camera model, whose first parameters are its focal lengths and its principal point.

    Attributes:
        name: in text files; binary ones have its index among `MODELS`.
        focals: 1 focal length for both axes, or 2; 0 of a panorama.
        parameters: how many it has.
    """

    name: str
    focals: int
    parameters: int


MODELS = (
    Model("SIMPLE_PINHOLE", 1, 3),
    Model("PINHOLE", 2, 4),
    Model("SIMPLE_RADIAL", 1, 4),
    Model("RADIAL", 1, 5),
    Model("OPENCV", 2, 8),
    Model("OPENCV_FISHEYE", 2, 8),
    Model("FULL_OPENCV", 2, 12),
    Model("FOV", 2, 5),
    Model("SIMPLE_RADIAL_FISHEYE", 1, 4),
    Model("RADIAL_FISHEYE", 1, 5),
    Model("THIN_PRISM_FISHEYE", 2, 12),
    Model("RAD_TAN_THIN_PRISM_FISHEYE", 2, 16),
    Model("SIMPLE_DIVISION", 1, 4),
    Model("DIVISION", 2, 5),
    Model("SIMPLE_FISHEYE", 1, 3),
    Model("FISHEYE", 2, 4),
    Model("EUCM", 2, 6),
    Model("EQUIRECTANGULAR", 0, 2),
)
"""Source: COLMAP's src/colmap/sensor/models.h."""


@dataclass(frozen=True)
class Intrinsics:
    """What COLMAP calls a camera.

    Attributes:
        focal: focal lengths (x, y), pixels.
        centre: principal point (x, y), pixels; as ours, pixel centres lie at +0.5.
        size: width and height, pixels.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    size: tuple[int, int]


@dataclass(frozen=True)
class Pose:
    """What COLMAP calls an image.

    Attributes:
        number: its place in the file, from 0.
        name: of its file.
        camera: which of the intrinsics it has.
        quaternion: w, x, y, z of the rotation from the world to the camera: x right, y down, z forward.
        translation: x, y, z of what is added after it.
    """

    number: int
    name: str
    camera: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]


def build_intrinsics(model: Model, width: int, height: int, parameters: Sequence[float]) -> Intrinsics:
    """Take the pinhole of a camera and leave its distortion out.

    A fisheye's is taken too: a pinhole of its focal length shows the middle of that picture.

    Raises:
        BadInputError: says what is wrong with it.
    """
    if not model.focals:
        raise BadInputError(f"the model {model.name} is no pinhole")
    if len(parameters) != model.parameters or not all(map(math.isfinite, parameters)):
        raise BadInputError(f"the model {model.name} must have {model.parameters} finite parameters")
    fx, fy, (cx, cy) = parameters[0], parameters[model.focals - 1], parameters[model.focals : model.focals + 2]
    if min(fx, fy) <= 0:
        raise BadInputError("focal lengths must be above 0")
    size = {"width": width, "height": height}
    return Intrinsics((fx, fy), (cx, cy), (parse_side(size, "width"), parse_side(size, "height")))


def build_view(pose: Pose, intrinsics: Mapping[int, Intrinsics]) -> View:
    """Join the two parts of an image's camera.

    Raises:
        BadInputError: names the image and what is wrong with it.
    """
    with numbered("image", pose.number):
        if pose.camera not in intrinsics:
            raise BadInputError(f"there is no camera {pose.camera}")
        least, most = QUATERNION_LENGTHS
        if not least < math.hypot(*pose.quaternion) < most or not all(map(math.isfinite, pose.translation)):
            raise BadInputError("must have a quaternion of length 1 and a finite translation")
    own, matrix = intrinsics[pose.camera], np.eye(4)
    matrix[:3, :3] = rotation_matrix(np.array(pose.quaternion))
    matrix[:3, 3] = pose.translation
    return View(pose.name, Camera(matrix, own.focal, own.centre, *own.size))


def require_count(count: int) -> None:
    """Refuse so many cameras or images as no capture has.

    Raises:
        BadInputError: says how many are too many.
    """
    if count > MAX_COUNT:
        raise BadInputError(f"has more than {MAX_COUNT:,} entries; name a part of the model")
