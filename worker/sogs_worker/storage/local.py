"""A folder as a store. Its own files beside the objects begin with a dot and are no objects."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sogs_worker.errors import NotPermittedError, SourceMissingError, StorageError, UsageError
from sogs_worker.storage.base import (
    Condition,
    ConflictError,
    IfMatch,
    ListedObject,
    Moved,
    Receipt,
    StoredObject,
    check_metadata,
    ignore_progress,
)

CHUNK_BYTES = 1 << 20
UNFINISHED = ".unfinished"
"""Suffix of a file that is still being written; a rename makes it the object."""
METADATA = ".metadata"
"""Suffix of the file beside an object that holds its metadata and the digest of the content they belong to."""
LOCK = ".lock"


class LocalStore:
    """Objects are files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def uri(self, key: str) -> str:
        """Name the file by its URL."""
        return self._path(key).as_uri()

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Walk the folder that the prefix names; only keys are kept, sizes are asked for as they are given."""
        folder = self._inside(prefix.rpartition("/")[0])
        paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names if not is_own(name))
        keys = (path.relative_to(self.root).as_posix() for path in paths)
        for key in sorted((key for key in keys if key.startswith(prefix)), key=os.fsencode):
            yield ListedObject(key, (self.root / key).stat().st_size)

    def stat(self, key: str) -> StoredObject:
        """Describe the file; its content is read for the digest."""
        path = self._path(key)
        if not path.is_file():
            raise SourceMissingError(f"{path} does not exist; create it or correct its name")
        sha256 = digest(path)
        return StoredObject(path.stat().st_size, sha256, sha256, read_metadata(path, sha256))

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> str:
        """Copy the file to `path`."""
        source = self._path(key)
        if not source.is_file():
            raise SourceMissingError(f"{source} does not exist; create it or correct its name")
        temporary = unfinished(path)
        with removed_on_failure(source, temporary):
            copy_file(source, temporary, progress)
            etag = digest(temporary)
            temporary.replace(path)
        return etag

    def upload(
        self,
        path: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,  # noqa: ARG002  (a folder keeps no media type)
        metadata: Mapping[str, str] | None = None,
        condition: Condition | None = None,
        progress: Moved = ignore_progress,
    ) -> Receipt:
        """Copy `path` to a temporary name, read it again, then let it take the key's name."""
        target, described = self._path(key), check_metadata(metadata or {})
        temporary = unfinished(target, uuid.uuid4().hex)
        with removed_on_failure(path, temporary):
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_file(path, temporary, progress)
            if digest(temporary) != sha256:
                raise StorageError(f"{target} would not hold what was to be written; check the disk and try again")
            take_name(temporary, target, condition)
            write_metadata(target, sha256, described)
        return Receipt(sha256, is_verified=True)

    def copy(self, source_key: str, key: str, *, condition: Condition | None = None) -> None:
        """Copy the file and its metadata."""
        source = self.stat(source_key)
        self.upload(
            self._path(source_key),
            key,
            sha256=source.etag,
            content_type="",
            metadata=source.metadata,
            condition=condition,
        )

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
        path = self._path(key)
        remove(path)
        remove(beside(path, METADATA))

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove one by one."""
        failures = []
        for key in keys:
            try:
                self.delete(key)
            except StorageError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def abort_uploads(self, key: str) -> None:
        """Remove the temporary names."""
        place = self._inside(key)
        pattern = f"**/.*{UNFINISHED}" if key.endswith("/") else f".{glob.escape(place.name)}.*{UNFINISHED}"
        for entry in [*(place if key.endswith("/") else place.parent).glob(pattern)]:
            remove(entry)

    def _path(self, key: str) -> Path:
        path = self._inside(key)
        if path == self.root:
            raise UsageError(f"the key {key!r} names the folder {self.root} itself; name a file in it")
        return path

    def _inside(self, key: str) -> Path:
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root):
            raise UsageError(f"the key {key!r} leaves the folder {self.root}; use a relative name without '..'")
        return path


def unfinished(path: Path, token: str = "0") -> Path:  # noqa: S107  (no secret)
    """Name the file that becomes `path`; `token` tells one writer's from another's."""
    return beside(path, f".{token}{UNFINISHED}")


def beside(path: Path, suffix: str) -> Path:
    """Name a file of the store's own."""
    return path.with_name(f".{path.name}{suffix}")


def is_own(name: str) -> bool:
    """Say whether a file is the store's own rather than an object."""
    return name.startswith(".") and name.endswith((UNFINISHED, METADATA, LOCK))


def digest(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def take_name(temporary: Path, target: Path, condition: Condition | None) -> None:
    """Make the file the object under `target`, if the condition holds.

    Raises:
        ConflictError: it does not.
        OSError: the file system refuses; `IfAbsent` needs one with hard links.
    """
    conflict = ConflictError(f"{target} was written by another since it was looked at; use what is there or delete it")
    if condition is None:
        temporary.replace(target)
    elif isinstance(condition, IfMatch):
        with locked(target.parent):
            if not target.is_file() or digest(target) != condition.etag:
                raise conflict
            temporary.replace(target)
    else:
        try:
            target.hardlink_to(temporary)  # unlike a rename, it never replaces
        except FileExistsError as error:
            raise conflict from error
        temporary.unlink()


def write_metadata(path: Path, sha256: str, metadata: Mapping[str, str]) -> None:
    """Write down what belongs to the content `sha256` of an object.

    After the object itself: a run that ends between the two leaves it without metadata, as a reader is then told.
    """
    place = beside(path, METADATA)
    if not metadata:
        remove(place)
        return
    temporary = unfinished(path, uuid.uuid4().hex)
    temporary.write_text(json.dumps({"sha256": sha256, "metadata": metadata}))
    temporary.replace(place)


def read_metadata(path: Path, sha256: str) -> dict[str, str]:
    """Read the metadata of this content; empty where there are none or another content's."""
    try:
        document = json.loads(beside(path, METADATA).read_text())
        return dict(document["metadata"]) if document["sha256"] == sha256 else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others who replace under a condition out of a folder; the kernel ends the lock with the process."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove(path: Path) -> None:
    """Remove a file; no error where there is none."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be removed: {error.strerror}; remove it by hand") from error


@contextmanager
def removed_on_failure(source: Path, temporary: Path) -> Iterator[None]:
    """Leave nothing half-written, and say which file cannot be copied."""
    try:
        yield
    except BaseException as error:
        if temporary.is_file():
            temporary.unlink()
        if isinstance(error, OSError) and not isinstance(error, StorageError):
            raise StorageError(
                f"{source} cannot be copied to {temporary.parent}: {error.strerror}; check space and permission"
            ) from error
        raise


def copy_file(source: Path, target: Path, progress: Moved) -> None:
    """Copy the bytes of a file, durably."""
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)
            progress(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
