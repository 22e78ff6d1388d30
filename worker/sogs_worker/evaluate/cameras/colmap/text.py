"""COLMAP's text files: a line for each camera, two for each image, comments after a #."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.colmap.model import (
    MODELS,
    Intrinsics,
    Pose,
    build_intrinsics,
    require_count,
)
from sogs_worker.evaluate.cameras.fields import numbered

MAX_LINE_BYTES = 8192
"""Of a line that is read: numbers and a name. A line of points has any length."""

CAMERA_FIELDS, IMAGE_FIELDS = 4, 10
"""Number, model, width, height; number, quaternion, translation, camera, name."""


def read_intrinsics(file: BinaryIO) -> dict[int, Intrinsics]:
    """Read a cameras.txt: the intrinsics by their numbers.

    Raises:
        BadInputError: says what is wrong with it.
    """
    models = {model.name: model for model in MODELS}
    intrinsics = {}
    for number, line in enumerate(_lines(file)):
        require_count(number + 1)
        fields = line.split()
        with numbered("camera", number):
            if len(fields) < CAMERA_FIELDS or fields[1] not in models:
                raise BadInputError("must have a number, a model, a width, a height and parameters")
            model, (key, width, height) = models[fields[1]], _integers([fields[0], *fields[2:4]])
            intrinsics[key] = build_intrinsics(model, width, height, _numbers(fields[4:]))
    return intrinsics


def read_poses(file: BinaryIO) -> Iterator[Pose]:
    """Read an images.txt.

    Raises:
        BadInputError: says what is wrong with it.
    """
    for number, line in enumerate(_lines(file)):
        require_count(number + 1)
        fields = line.split(maxsplit=IMAGE_FIELDS - 1)
        with numbered("image", number):
            if len(fields) < IMAGE_FIELDS:
                raise BadInputError("must have a number, a quaternion, a translation, a camera and a name")
            values, (camera,) = _numbers(fields[1:8]), _integers(fields[8:9])
        yield Pose(number, fields[9], camera, tuple(values[:4]), tuple(values[4:]))
        while (points := file.readline(MAX_LINE_BYTES)) and not points.endswith(b"\n"):
            pass


def _lines(file: BinaryIO) -> Iterator[str]:
    """Give the lines that are neither empty nor comments."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise BadInputError("has lines that no camera has; copy it again")
        text = line.decode(errors="replace").strip()
        if text and not text.startswith("#"):
            yield text


def _integers(fields: list[str]) -> list[int]:
    try:
        return [int(field) for field in fields]
    except ValueError as error:
        raise BadInputError("must have integers for its number, its size and its camera") from error


def _numbers(fields: list[str]) -> list[float]:
    try:
        return [float(field) for field in fields]
    except ValueError as error:
        raise BadInputError("must have numbers for all but names") from error
