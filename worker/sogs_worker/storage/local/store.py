"""A folder as a store: a mounted volume, or any folder of this machine."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from sogs_worker.errors import (
    NotPermittedError,
    SourceMissingError,
    StorageError,
    UsageError,
    WorkerError,
)
from sogs_worker.storage.base import (
    HIDDEN,
    Beginning,
    Condition,
    ConflictError,
    IfAbsent,
    ListedObject,
    Moved,
    Receipt,
    StoredObject,
    check_metadata,
    ignore_progress,
)
from sogs_worker.storage.local.sidecar import (
    LOCK,
    METADATA,
    UNFINISHED,
    beside,
    describe,
    is_own,
    unfinished,
    version,
    write_description,
)
from sogs_worker.storage.transfer.integrity import digest_file

CHUNK_BYTES = 1 << 20
MAX_NAME_BYTES = 255
TRIES = 100
"""To write into a folder that others remove as often."""


class LocalStore:
    """Objects are files below a folder."""

    def __init__(self, root: Path, address: str | None = None) -> None:
        """Begin.

        Args:
            root: the folder.
            address: what messages and manifests call it, ending in a slash (`pvc://claim/`); None: its URL.
        """
        self.root = root.resolve()
        self._address = address or f"{self.root.as_uri()}/"

    def uri(self, key: str) -> str:
        """Name the file."""
        return self._address + key

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Walk the folder that the prefix names; only keys are kept, sizes are asked for as they are given."""
        folder = self._inside(prefix.rpartition("/")[0])
        with self._operation("list", prefix):
            keys = [key for key in self._walk(folder) if key.startswith(prefix)]
        for key in sorted(keys, key=os.fsencode):
            with self._operation("read", key), suppress(FileNotFoundError):  # somebody else has just removed it
                yield ListedObject(key, (self.root / key).stat().st_size)

    def stat(self, key: str) -> StoredObject:
        """Describe the file; its digest is known only if it was written by a store."""
        with self._operation("read", key):
            return describe(self._existing(key))

    def peek(self, key: str, size_bytes: int) -> Beginning:
        """Read the beginning of the file."""
        with self._operation("read", key):
            path = self._existing(key)
            with path.open("rb") as file:
                return Beginning(file.read(size_bytes), describe(path))

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> str:
        """Copy the file to `path`, as it was when that began if it is replaced meanwhile."""
        temporary = unfinished(path)
        try:
            with self._operation("read", key):
                etag = copy_file(self._existing(key), temporary, progress)
            if etag is None:
                raise StorageError(f"{self.uri(key)} changed while it was read; run it again")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
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
        """Copy `path` to a temporary name, then let it take the key's name; what is read is what is compared."""
        target, described = self._path(key), check_metadata(metadata or {})
        digest = hashlib.sha256()
        with self._operation("write", key), begun_file(target) as temporary:
            copy_file(path, temporary, progress, digest)
            if digest.hexdigest() != sha256:
                raise StorageError(f"{self.uri(key)} would hold other bytes than were sent; run it again")
            etag = self._publish(temporary, target, key, condition, sha256=sha256, metadata=described)
        return Receipt(etag, is_verified=True)

    def copy(self, source_key: str, key: str, *, condition: Condition | None = None) -> None:
        """Give the file a second name where the volume has such, else copy it; and its metadata."""
        source = self.stat(source_key)
        path, target = self._path(source_key), self._path(key)
        with self._operation("copy", key), begun_file(target) as temporary:
            try:
                link_or_copy(path, temporary)
                sha256 = source.sha256 or digest_file(temporary)
            except FileNotFoundError as error:  # of two attempts at once the other has removed it
                raise self._missing(source_key) from error
            self._publish(temporary, target, key, condition, sha256=sha256, metadata=source.metadata)

    def check_upload(self, key: str) -> None:
        """Make the folder and a file in it, and remove both again."""
        target = self._path(key)
        with self._operation("write", key):
            begin_file(target).unlink()
            self._prune(target.parent)

    def check_keys(self, keys: Iterable[str]) -> None:
        """Refuse names that are too long for a file, and files that would be the folders of others or are folders."""
        files = {self._path(key): key for key in keys}
        for path, key in files.items():
            if max(len(os.fsencode(part)) for part in path.parts) > MAX_NAME_BYTES:
                raise UsageError(
                    f"{self.uri(key)} has a name of more than {MAX_NAME_BYTES} bytes; shorten its source's"
                )
            if path.is_dir() or any(parent in files or parent.is_file() for parent in path.parents):
                raise UsageError(f"{self.uri(key)} would be a file and a folder at once; rename its source")

    def delete(self, key: str) -> None:
        """Remove the file, and hidden folders that it leaves empty."""
        path = self._path(key)
        with self._operation("delete", key):
            for own in (path, beside(path, METADATA)):
                own.unlink(missing_ok=True)
            self._prune(path.parent)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove one by one."""
        failures = []
        for key in keys:
            try:
                self.delete(key)
            except WorkerError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def abort_uploads(self, key: str) -> None:
        """Remove the temporary names."""
        place = self._inside(key)
        pattern = f"**/.*{UNFINISHED}" if key.endswith("/") else f"{beside(place, '').name}.*{UNFINISHED}"
        with self._operation("delete", key):
            for entry in [*(place if key.endswith("/") else place.parent).glob(pattern)]:
                entry.unlink(missing_ok=True)

    def _walk(self, folder: Path) -> Iterator[str]:
        """Yield the keys of files; what a link leads out of the store to is none of its."""
        for parent, _, names in os.walk(folder, onerror=unsearchable):
            for path in (Path(parent, name) for name in names if not is_own(name)):
                if path.is_file() and path.resolve().is_relative_to(self.root):
                    yield path.relative_to(self.root).as_posix()

    def _publish(
        self,
        temporary: Path,
        target: Path,
        key: str,
        condition: Condition | None,
        *,
        sha256: str,
        metadata: Mapping[str, str],
    ) -> str:
        """Let a complete file take the key's name under the condition; return its version."""
        etag = version(temporary.stat())
        with locked(target.parent) if condition else nullcontext():
            self._require(condition, key, target)
            # Before the content: a writer that ends in between leaves the old content, without metadata.
            write_description(target, etag=etag, sha256=sha256, metadata=metadata)
            temporary.replace(target)
        return etag

    def _require(self, condition: Condition | None, key: str, target: Path) -> None:
        """Refuse a write whose condition does not hold."""
        if condition is None:
            return
        there = version(target.stat()) if target.is_file() else None
        if there != (None if isinstance(condition, IfAbsent) else condition.etag):
            raise ConflictError(
                f"{self.uri(key)} was written by another since it was looked at; use what is there or delete it"
            )

    def _prune(self, folder: Path) -> None:
        """Remove hidden folders that hold nothing but a lock; others are the user's, with an owner and a mode."""
        with suppress(OSError):  # somebody else has removed it, or writes there again
            while HIDDEN in folder.relative_to(self.root).parts:
                left = [*folder.iterdir()]
                # A writer has its unfinished file there before anything else; metadata alone are of a writer that died.
                if not all(path.name.endswith((LOCK, METADATA)) for path in left):
                    return
                for path in left:
                    path.unlink(missing_ok=True)
                folder.rmdir()
                folder = folder.parent

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise self._missing(key)
        return path

    def _missing(self, key: str) -> SourceMissingError:
        return SourceMissingError(f"{self.uri(key)} does not exist; create it or correct its name")

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

    @contextmanager
    def _operation(self, verb: str, key: str) -> Iterator[None]:
        """Make our errors of the file system's."""
        try:
            yield
        except WorkerError:
            raise
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise self._refused(verb, key) from error
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "make space on the volume" if full else "check the path and the volume"
            raise StorageError(f"cannot {verb} {self.uri(key)}: {error.strerror or error}; {remedy}") from error

    def _refused(self, verb: str, key: str) -> NotPermittedError:
        return NotPermittedError(
            f"user {os.getuid()} may not {verb} {self.uri(key)}; change the mode or owner of that folder"
        )


def unsearchable(error: OSError) -> None:
    """Do not pass over folders that may not be read; those that are gone meanwhile, and the file system's own, are."""
    if not isinstance(error, FileNotFoundError) and Path(error.filename).name != "lost+found":
        raise error


@contextmanager
def begun_file(target: Path) -> Iterator[Path]:
    """Make the file that is to become `target`, and its folder; remove it again if it has not."""
    temporary = begin_file(target)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def begin_file(target: Path) -> Path:
    """Make the file that becomes `target`, and its folder, which another may remove as an empty one meanwhile."""
    temporary = unfinished(target)
    for tries_left in reversed(range(TRIES)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
            break
        except FileNotFoundError:
            if not tries_left:
                raise
    return temporary


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others who write under a condition out of a folder; the kernel ends the lock with the process."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def link_or_copy(source: Path, target: Path) -> None:
    """Replace the file `target` by another name of `source`, which is never written to; by a copy where none can be.

    Raises:
        FileNotFoundError: there is no such source.
    """
    link = target.with_name(target.name.replace(UNFINISHED, f"-link{UNFINISHED}"))
    try:
        link.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # some network file systems have one name for a file
        copy_file(source, target, ignore_progress)
    else:
        link.replace(target)


def copy_file(source: Path, target: Path, progress: Moved, digest: hashlib._Hash | None = None) -> str | None:
    """Copy the bytes of a file, durably, and add them to `digest`.

    Returns:
        The file's version, None if it was written to meanwhile.
    """
    with source.open("rb") as reader, target.open("wb") as writer:
        etag = version(os.fstat(reader.fileno()))
        while chunk := reader.read(CHUNK_BYTES):
            if digest:
                digest.update(chunk)
            writer.write(chunk)
            progress(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
        return etag if version(os.fstat(reader.fileno())) == etag else None
