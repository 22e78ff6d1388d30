"""The ZIP archive around a bundle's files, and the folder that an unbundled scene is."""

from __future__ import annotations

import errno
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from sogs_worker.errors import BadInputError
from sogs_worker.naming import META, STREAMED

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every file: the earliest a ZIP can hold, so that equal scenes are equal bytes."""

MAX_BYTES = 2**32 - 2**20
"""Viewers do not read zip64; the rest is room for the archive's own records."""

MAX_FILE_BYTES = 2**30
"""The greatest plane before compression; an archive that declares more is not unpacked."""

MAX_RATIO = 8
FREE_BYTES = 1 << 20
"""A file of an archive may be larger than the archive by this factor, or this large: images hardly shrink in a ZIP."""

UNIX = 3
READABLE = 0o644 << 16


class Files(Protocol):
    """Files by name."""

    def read(self, name: str) -> bytes:
        """Return a file's content; `BadInputError` if it is missing, damaged or too large."""
        ...

    def size_bytes(self, name: str) -> int:
        """Return what a file takes on disk; `BadInputError` if it is missing."""
        ...


def write_bundle(file: BinaryIO, files: Mapping[str, bytes]) -> None:
    """Write files, in their order, to a stored ZIP without comment: the last 22 bytes are its end record.

    Raises:
        BadInputError: if they are more than a ZIP without zip64 can hold.
    """
    total = sum(len(data) for data in files.values())
    if total > MAX_BYTES:
        raise BadInputError(f"the bundle would be {total:,} bytes, but {MAX_BYTES:,} is the limit; split the scene")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = UNIX
            entry.external_attr = READABLE
            archive.writestr(entry, data)


class ZipFiles:
    """Files of a ZIP archive, stored or deflated."""

    def __init__(self, file: BinaryIO) -> None:
        with _refusing_damage("not a ZIP archive, or a damaged one; copy the bundle again"):
            self._archive = zipfile.ZipFile(file)
        self._max_bytes = min(MAX_FILE_BYTES, max(FREE_BYTES, MAX_RATIO * file.seek(0, os.SEEK_END)))

    def read(self, name: str) -> bytes:
        """Return a file's content, checked against its checksum."""
        entry = self._entry(name)
        if entry.file_size > self._max_bytes:
            raise BadInputError(
                f"{name} declares {entry.file_size:,} bytes, but {self._max_bytes:,} is the limit; write it again"
            )
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadInputError(f"{name} is neither stored nor deflated in the bundle; write it again")
        with _refusing_damage(f"{name} in the bundle is damaged; copy it again"):
            return self._archive.read(entry)

    def size_bytes(self, name: str) -> int:
        """Return the bytes of a file in the archive."""
        return self._entry(name).compress_size

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._archive.getinfo(name)
        except KeyError as error:
            if name == META and STREAMED in self._archive.namelist():
                raise BadInputError(f"holds a streamed SOG; unpack it, and name its {STREAMED}") from error
            if name == META:
                raise BadInputError(f"has no {META}, as SOG bundles have; if it holds scenes, call it .zip") from error
            raise BadInputError(f"the bundle has no {name}; write it again") from error


@contextmanager
def _refusing_damage(sentence: str) -> Iterator[None]:
    """Turn what `zipfile` raises for damaged archives into a refusal."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError) as error:
        raise BadInputError(sentence) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # it seeks to before the file's start if the archive says so
            raise
        raise BadInputError(sentence) from error


class FolderFiles:
    """Files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        with self._path(name).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise BadInputError(
                f"{name} has more than {MAX_FILE_BYTES:,} bytes, which no plane has; write the scene again"
            )
        return data

    def size_bytes(self, name: str) -> int:
        """Return a file's length."""
        return self._path(name).stat().st_size

    def _path(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            raise BadInputError(f"there is no {name} beside it; copy all files of the scene")
        return path
