"""The cameras that a scene was trained from, which trainers leave beside it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sogs_worker.errors import NotPermittedError, SourceMissingError
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.local.files import LocalFiles

CAMERAS = "cameras.json"

MAX_BYTES = 16 << 20
"""Of such a file, which has half a kilobyte for each camera: more of it is cut off, and then it is of no use."""

TRAINED = "*/point_cloud/iteration_*/point_cloud.ply"
"""Where Inria's trainer, and those that follow it, put a scene within the folder that has its cameras."""


def fetch_cameras(store: ReadableStore, key: str, folder: Path) -> Path | None:
    """Copy the cameras of a scene to a folder; None if there are none, or if they may not be read."""
    path = store.uri(key) if isinstance(store, LocalFiles) else key  # whose root is the folder of a file that is named
    for place in camera_keys(key, path):
        with suppress(SourceMissingError, NotPermittedError):
            content, _ = store.peek(place, MAX_BYTES)
            (folder / CAMERAS).write_bytes(content)
            return folder / CAMERAS
    return None


def camera_keys(key: str, path: str) -> Iterator[str]:
    """Give the keys under which the cameras of a scene may be, that has that key and lies at that path."""
    if "?" in key:  # a web address that is signed, for this one object
        return
    folder = posixpath.dirname(key)
    yield posixpath.join(folder, CAMERAS)
    if PurePosixPath("/", path).match(TRAINED):
        yield posixpath.normpath(posixpath.join(folder, "..", "..", CAMERAS))
