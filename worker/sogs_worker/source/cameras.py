"""The cameras that a scene was trained from, which trainers and COLMAP leave beside it."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from sogs_worker.errors import BadInputError, NotPermittedError, SourceMissingError
from sogs_worker.naming import COLMAP_CAMERAS, DATAPARSER
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.local.files import LocalFiles

CAMERAS, TRANSFORMS = "cameras.json", "transforms.json"
MODELS = ("sparse/0", "sparse")
"""Folders of a COLMAP model."""

MAX_BYTES = 16 << 20
"""Of a file, which has about a kilobyte for each camera."""
MAX_IMAGES_BYTES = 1 << 30
"""Of a model's images, each of which has its points too: 10,000 points are 240 kB."""
SCRATCH_SHARE = 0.5
"""Of what is free there, that a file may take: scenes need it more."""

TRAINED = "*/point_cloud/iteration_*/point_cloud.ply"
"""Where Inria's trainer, and those that follow it, put a scene within the folder that has its cameras."""


@dataclass(frozen=True)
class CameraFiles:
    """Files that say together where cameras are; no two have the same name.

    Attributes:
        main: key of the one that says that there are some.
        others: keys of those that it may need.
    """

    main: str
    others: tuple[str, ...] = ()


def fetch_cameras(store: ReadableStore, key: str, folder: Path) -> Path | None:
    """Copy the cameras of a scene to a folder; None if there are none, or if they may not be read.

    A model's images are copied whole, though most of them are points: with a request for each image to skip these,
    hundreds would wait for each other, and the first megabytes have only the cameras that were registered first.

    Args:
        store: where the scene is.
        key: of the scene.
        folder: takes a folder for them.

    Returns:
        The main one of their files. One that is too long is empty: whoever reads it says that it is of no use.
    """
    path = store.uri(key) if isinstance(store, LocalFiles) else key  # whose root is the folder of a file that is named
    home = Path(mkdtemp(prefix="cameras-", dir=folder))  # whatever a scene's own files are called
    for files in find_cameras(key, path):
        target = home / posixpath.basename(files.main)
        if fetch_one(store, files.main, target):
            for other in files.others:
                fetch_one(store, other, target.with_name(posixpath.basename(other)))
            return target
    return None


def fetch_one(store: ReadableStore, key: str, path: Path) -> bool:
    """Copy a file of cameras to `path`, nothing of one that is too long; return whether there is one to be read."""
    with suppress(SourceMissingError, NotPermittedError, BadInputError):  # the last of what is no regular file
        if is_acceptable(path, store.stat(key).size_bytes):
            store.download(key, path)
        else:
            path.touch()
        return True
    return False


def is_acceptable(path: Path, size_bytes: int) -> bool:
    """Say whether a file of cameras of that length may be copied to `path`, whose folder exists."""
    most_bytes = MAX_IMAGES_BYTES if path.name in COLMAP_CAMERAS else MAX_BYTES
    return size_bytes <= min(most_bytes, SCRATCH_SHARE * shutil.disk_usage(path.parent).free)


def find_cameras(key: str, path: str) -> Iterator[CameraFiles]:
    """Give the keys under which the cameras of a scene may be, that has that key and lies at that path; the first hold.

    A trainer's own come first: they have the scene's frame for certain.
    """
    if "?" in key:  # a web address that is signed, for this one object
        return
    folder = posixpath.dirname(key)
    folders = [folder]
    if PurePosixPath("/", path).match(TRAINED):
        above = posixpath.normpath(posixpath.join(folder, "..", ".."))
        folders.append("" if above == "." else above)
    for each in folders:
        yield CameraFiles(posixpath.join(each, CAMERAS))
    for each in folders:
        yield CameraFiles(posixpath.join(each, TRANSFORMS), (posixpath.join(each, DATAPARSER),))
    for each in folders:
        for model in MODELS:
            home = posixpath.join(each, model)
            for images, cameras in COLMAP_CAMERAS.items():
                others = posixpath.join(home, cameras), posixpath.join(each, DATAPARSER)
                yield CameraFiles(posixpath.join(home, images), others)


def companions(key: str) -> tuple[str, ...]:
    """Give the keys of files beside one of cameras that it may need."""
    name = posixpath.basename(key)
    own = (COLMAP_CAMERAS[name], DATAPARSER) if name in COLMAP_CAMERAS else (DATAPARSER,) if name != CAMERAS else ()
    return tuple(posixpath.join(posixpath.dirname(key), each) for each in own)
