"""The cameras of a COLMAP model: cameras.bin and images.bin, or the same as text.

Layouts: https://colmap.github.io/format.html and COLMAP's src/colmap/scene/reconstruction_io_binary.cc; rigs and
frames, which newer versions add, repeat what these two files say. A pose is read and the image's points, most of the
file, are passed over, so that a model of any size takes little memory.
"""

from __future__ import annotations

from pathlib import Path

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.colmap import binary, text
from sogs_worker.evaluate.cameras.colmap.model import build_view
from sogs_worker.evaluate.views import View
from sogs_worker.files import reading
from sogs_worker.naming import COLMAP_CAMERAS

READERS = {
    ".bin": (binary.read_intrinsics, binary.read_poses),
    ".txt": (text.read_intrinsics, text.read_poses),
}


def read_model(images: Path) -> list[View]:
    """Read a model's cameras, ordered by the images' names: COLMAP's own order is that of its registration.

    Args:
        images: one of `COLMAP_CAMERAS`, with the file of cameras beside it.

    Raises:
        BadInputError: says what is wrong with it.
        NotPermittedError, StorageError: a file cannot be read.
    """
    beside = COLMAP_CAMERAS[images.name]
    read_intrinsics, read_poses = READERS[images.suffix]
    cameras = images.with_name(beside)
    if not cameras.exists():
        raise BadInputError(f"there is no {beside} beside it; put it there")
    try:
        with reading(cameras) as file:
            intrinsics = read_intrinsics(file)
    except BadInputError as error:
        raise BadInputError(f"{beside} beside it: {str(error).removeprefix(f'{cameras}: ')}") from error
    with reading(images) as file:
        views = [build_view(pose, intrinsics) for pose in read_poses(file)]
    if not views:
        raise BadInputError("has no images; copy it again")
    return sorted(views, key=lambda view: view.name)
