"""Files of this machine where they lie, called by the paths that a user has typed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from sogs_worker.errors import BadInputError, NotPermittedError, SourceMissingError, StorageError, UsageError
from sogs_worker.files import make_folder, naming, remove, replacing
from sogs_worker.storage.base import Beginning, Condition, ListedObject, Moved, Receipt, StoredObject, ignore_progress
from sogs_worker.storage.local.sidecar import version


class LocalFiles:
    """A folder, whose files are read where they are: a download is a link. A file appears whole or not at all."""

    def __init__(self, folder: Path, *, without: Path | None = None) -> None:
        """Begin.

        Args:
            folder: as messages call it.
            without: a folder in it that is not listed.
        """
        self._folder = folder
        self._without = without.resolve() if without else None

    def uri(self, key: str) -> str:
        """Name the file as the user would."""
        return str(self._folder / key)

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Walk the folder; links to other folders, and what is no file, are passed over."""
        keys = [key for key in self._walk() if key.startswith(prefix)]
        for key in sorted(keys, key=os.fsencode):
            with suppress(FileNotFoundError):  # somebody else has just removed it
                yield ListedObject(key, (self._folder / key).stat().st_size)

    def stat(self, key: str) -> StoredObject:
        """Describe a file."""
        path = self._folder / key
        with naming(path):
            try:
                status = path.stat()
            except NotADirectoryError as error:  # what is below a file is missing like any other
                raise FileNotFoundError from error
        if not path.is_file():
            raise BadInputError(f"{path}: is a pipe or a device; copy what it gives to a file, and name that")
        return StoredObject(status.st_size, None, version(status))

    def peek(self, key: str, size_bytes: int) -> Beginning:
        """Read the beginning of a file."""
        there = self.stat(key)
        with naming(path := self._folder / key), path.open("rb") as file:
            return Beginning(file.read(size_bytes), there)

    def download(self, key: str, path: Path, _progress: Moved = ignore_progress) -> str:
        """Link `path` to the file."""
        etag = self.stat(key).etag
        path.symlink_to((self._folder / key).absolute())
        return etag

    def upload(
        self,
        path: Path,
        key: str,
        *,
        sha256: str,  # noqa: ARG002  (nobody keeps it)
        content_type: str,  # noqa: ARG002
        metadata: Mapping[str, str] | None = None,  # noqa: ARG002
        condition: Condition | None = None,  # noqa: ARG002
        progress: Moved = ignore_progress,
    ) -> Receipt:
        """Copy a file to its place."""
        target = self._folder / key
        make_folder(target.parent)
        with path.open("rb") as source, replacing(target) as file:
            shutil.copyfileobj(source, file)
        status = target.stat()
        progress(status.st_size)
        return Receipt(version(status), is_verified=True)

    def check_upload(self, key: str) -> None:
        """Refuse a folder that cannot be made or written to, and a file that may not be written to."""
        target = self._folder / key
        if target.is_file() and not target.stat().st_mode & 0o222:
            raise NotPermittedError(f"{target}: is there and may not be written to; change its mode")
        there = next(folder for folder in target.parents if folder.exists())
        if not there.is_dir():
            raise StorageError(f"{target}: cannot be made: {there} is a file; choose another folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise NotPermittedError(f"{target}: may not be made in {there}; choose another folder or change its mode")

    def check_keys(self, keys: Iterable[str]) -> None:
        """Refuse files where folders are."""
        for target in (self._folder / key for key in keys):
            if target.is_dir():
                raise UsageError(f"{target}: a folder is in the way; remove it or name another output")

    def delete(self, key: str) -> None:
        """Remove a file, if there is one."""
        remove(self._folder / key)

    def _walk(self) -> Iterator[str]:
        for parent, folders, names in os.walk(self._folder, onerror=_refuse):
            folders[:] = [name for name in folders if Path(parent, name).resolve() != self._without]
            for path in (Path(parent, name) for name in names):
                if path.is_file():
                    yield path.relative_to(self._folder).as_posix()


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):
        raise SourceMissingError(f"{error.filename}: no such folder; check the path") from error
    raise NotPermittedError(f"{error.filename}: cannot be searched: {error.strerror}; change its mode") from error
