"""COLMAP's binary files, little-endian, read without believing a count: what is not there is not allocated."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.colmap.model import (
    MODELS,
    Intrinsics,
    Pose,
    build_intrinsics,
    require_count,
)
from sogs_worker.evaluate.cameras.fields import numbered

CAMERA = struct.Struct("<IiQQ")
"""Number, model, width, height; its parameters follow, doubles."""
IMAGE = struct.Struct("<I7dI")
"""Number, quaternion and translation, camera; its name follows, ended by a zero, and the number of its points."""
COUNT = struct.Struct("<Q")
POINT_BYTES = 24
"""Place in the image, two doubles, and a point's number."""

MAX_NAME_BYTES = 4096
"""As long as paths are on Linux."""

CUT_OFF = "ends in the middle; copy it again"


def read_intrinsics(file: BinaryIO) -> dict[int, Intrinsics]:
    """Read a cameras.bin: the intrinsics by their numbers.

    Raises:
        BadInputError: says what is wrong with it.
    """
    (count,) = _unpack(file, COUNT)
    require_count(count)
    intrinsics = {}
    for _ in range(count):
        number, model, width, height = _unpack(file, CAMERA)
        with numbered("camera", number):
            if not 0 <= model < len(MODELS):
                raise BadInputError(f"there is no model {model}")
            parameters = _unpack(file, struct.Struct(f"<{MODELS[model].parameters}d"))
            intrinsics[number] = build_intrinsics(MODELS[model], width, height, parameters)
    return intrinsics


def read_poses(file: BinaryIO) -> Iterator[Pose]:
    """Read an images.bin.

    Raises:
        BadInputError: says what is wrong with it.
    """
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    (count,) = _unpack(file, COUNT)
    require_count(count)
    for number in range(count):
        _, *pose, camera = _unpack(file, IMAGE)
        name = _read_name(file)
        (points,) = _unpack(file, COUNT)
        after = file.tell() + points * POINT_BYTES
        if after > size_bytes:
            raise BadInputError(CUT_OFF)
        file.seek(after)
        yield Pose(number, name, camera, tuple(pose[:4]), tuple(pose[4:]))


def _unpack(file: BinaryIO, fields: struct.Struct) -> tuple[Any, ...]:
    content = file.read(fields.size)
    if len(content) < fields.size:
        raise BadInputError(CUT_OFF)
    return fields.unpack(content)


def _read_name(file: BinaryIO) -> str:
    begin = file.tell()
    name, zero, _ = file.read(MAX_NAME_BYTES + 1).partition(b"\0")
    if not zero:
        raise BadInputError(CUT_OFF if len(name) <= MAX_NAME_BYTES else f"has a name over {MAX_NAME_BYTES:,} bytes")
    file.seek(begin + len(name) + 1)
    return name.decode(errors="replace")
