"""A folder as a store."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from sogs_worker.errors import NotPermittedError, SourceMissingError, StorageError, UsageError
from sogs_worker.storage.base import Moved, StoredObject, ignore_progress

CHUNK_BYTES = 1 << 20
UNFINISHED = ".unfinished"
"""Suffix of a file that is still being written; a rename makes it the object."""


class LocalStore:
    """Objects are files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def uri(self, key: str) -> str:
        """Name the file by its URL."""
        return self._path(key).as_uri()

    def stat(self, key: str) -> StoredObject:
        """Describe the file; its content is read for the digest."""
        path = self._path(key)
        if not path.is_file():
            raise SourceMissingError(f"{path} does not exist; create it or correct its name")
        with path.open("rb") as stream:
            return StoredObject(path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> None:
        """Copy the file to `path`."""
        self.stat(key)
        copy_atomically(self._path(key), path, progress)

    def upload(
        self,
        path: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,  # noqa: ARG002  (a folder keeps no media type)
        progress: Moved = ignore_progress,
    ) -> None:
        """Copy `path` to a temporary name, rename it, read it again."""
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_atomically(path, target, progress)
        if self.stat(key).sha256 != sha256:
            raise StorageError(f"{target} does not hold what was written to it; check the disk and try again")

    def check_upload(self, key: str) -> None:
        """Make the folder and see whether files may be made in it."""
        folder = self._path(key).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotPermittedError(f"{folder} cannot be made: {error.strerror}; choose another folder") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise NotPermittedError(f"{folder} may not be written to; choose another folder or change its mode")

    def delete(self, key: str) -> None:
        """Remove the file."""
        remove(self._path(key))

    def abort_uploads(self, key: str) -> None:
        """Remove the temporary name."""
        remove(unfinished(self._path(key)))

    def _path(self, key: str) -> Path:
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root) or path == self.root:
            raise UsageError(f"the key {key!r} leaves the folder {self.root}; use a relative name without '..'")
        return path


def unfinished(path: Path) -> Path:
    """Name the file that becomes `path`."""
    return path.with_name(path.name + UNFINISHED)


def remove(path: Path) -> None:
    """Remove a file; no error where there is none."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be removed: {error.strerror}; remove it by hand") from error


def copy_atomically(source: Path, target: Path, progress: Moved) -> None:
    """Copy a file so that `target` is complete, durable and new, or as it was."""
    temporary = unfinished(target)
    try:
        with source.open("rb") as reader, temporary.open("wb") as writer:
            while chunk := reader.read(CHUNK_BYTES):
                writer.write(chunk)
                progress(len(chunk))
            writer.flush()
            os.fsync(writer.fileno())
        shutil.copystat(source, temporary)
        temporary.replace(target)
    except OSError as error:
        if temporary.is_file():
            temporary.unlink()
        raise StorageError(
            f"{source} cannot be copied to {target}: {error.strerror}; check space and permission"
        ) from error
